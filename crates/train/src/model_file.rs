//! The model file: safetensors with PyTorch's names and layouts, and everything needed to use the model again (classes,
//! input, normalisation, architecture) in its metadata, so that nothing has to be said twice. Behind these stands a checksum of them and of all
//! tensors, so that a flipped bit is told; other readers of safetensors pass it over, and files of before it are read without one.

use crate::recipe::Input;
use pupila_dataset::ResizeRule;
use pupila_image::{DecodeError, Image};
use pupila_network::{ModelConfig, Network, Shape, StateDict, Tensor, architectures};
use pupila_run::{LearntFrom, read_regular, write_whole};
use pupila_transforms::{Normalization, NormalizationError, PerImage};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// The one key of the file's metadata. One alone, since safetensors writes several in any order and a model file is to
/// be the same to the byte.
const KEY: &str = ModelCard::KEY;
/// The version of the metadata.
const FORMAT: u32 = 1;
/// What stands between the card and the checksum, which are one JSON object.
const CHECKSUM: &str = ",\"checksum\":\"";

/// What a model is and what it expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The version of this structure, 1.
    pub format: u32,
    /// The version of Pupila that wrote it.
    pub version: String,
    /// The classes in the order of the logits.
    pub classes: Vec<String>,
    /// How an image is brought to the network's input.
    pub input: Input,
    /// How its pixels become numbers.
    pub normalization: CardNormalization,
    /// The architecture.
    pub model: ModelConfig,
    /// The epoch that the values are of, from 1.
    pub epoch: u32,
    /// The weights that the training began from, with their licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt_from: Option<LearntFrom>,
}

/// A normalisation as the file holds it: (pixel / max_pixel_value - mean) / std for each channel, or each image by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardNormalization {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
    /// The largest value of a pixel.
    pub max_pixel_value: f32,
    /// How each image is normalised by itself, where it is; there are no means and deviations then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_image: Option<PerImage>,
}

/// A model that was read.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// What it is.
    pub card: ModelCard,
    /// Its values.
    pub state: StateDict,
}

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a safetensors file, or a damaged one.
    #[error("{}: not a readable safetensors file: {source}", path.display())]
    SafeTensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SafeTensorError,
    },
    /// Its values or its description are not those that were written.
    #[error("{}: it is damaged: its checksum is another than that of its values; copy or train it again", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
    },
    /// It is a safetensors file of something else.
    #[error("{}: {reason}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
}

impl ModelCard {
    /// The key of the safetensors metadata that holds it.
    pub const KEY: &'static str = "pupila";

    /// The card of a model.
    pub fn new(
        classes: Vec<String>,
        input: Input,
        normalization: &Normalization,
        model: ModelConfig,
    ) -> Self {
        let normalization = CardNormalization {
            mean: normalization.mean().to_vec(),
            std: normalization.std().to_vec(),
            max_pixel_value: normalization.max_pixel_value(),
            per_image: normalization.per_image(),
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        ModelCard {
            format: FORMAT,
            version,
            classes,
            input,
            normalization,
            model,
            epoch: 0,
            learnt_from: None,
        }
    }

    /// The shape of one image as the network sees it.
    pub fn input_shape(&self) -> Shape {
        let pupila_transforms::Shape { height, width, channels } = self.input.shape();
        Shape::Map { height, width, channels }
    }

    /// The network.
    ///
    /// # Errors
    /// The card names a model that this version does not know, or values out of their range.
    pub fn network(&self) -> Result<Network, pupila_network::ConfigError> {
        architectures::build(&self.model, self.input_shape(), self.classes.len())
    }

    /// A number that changes with any change of what the model answers: its values, input, normalisation, classes. In hexadecimal.
    pub fn fingerprint(&self, state: &StateDict) -> String {
        let mut hasher = twox_hash::XxHash3_128::new();
        // Which version wrote it, in which epoch, and what it began from, changes no answer.
        let card = ModelCard { version: String::new(), epoch: 0, learnt_from: None, ..self.clone() };
        hasher.write(serde_json::to_string(&card).unwrap_or_default().as_bytes());
        for (name, tensor) in state {
            hasher.write(name.as_bytes());
            tensor.data.iter().for_each(|value| hasher.write(&value.to_le_bytes()));
        }
        format!("{:032x}", hasher.finish_128())
    }

    /// How an image file becomes the network's input.
    ///
    /// # Errors
    /// A normalisation of values that cannot be divided by.
    pub fn preparation(&self) -> Result<Preparation, NormalizationError> {
        Ok(Preparation::new(self.input.rule(), self.normalization()?))
    }

    /// The normalisation.
    ///
    /// # Errors
    /// Values that cannot be divided by.
    pub fn normalization(&self) -> Result<Normalization, NormalizationError> {
        let CardNormalization { mean, std, max_pixel_value, per_image } = self.normalization.clone();
        match per_image {
            Some(mode) => Ok(Normalization::by_image(mode, usize::from(self.input.channels))),
            None => Normalization::new(mean, std, max_pixel_value),
        }
    }
}

/// How the bytes of an image file become a network's input: the one path of training, evaluation, prediction and explanation.
#[derive(Debug, Clone)]
pub struct Preparation {
    rule: ResizeRule,
    normalization: Normalization,
}

impl Preparation {
    /// By a rule for the pixels and one for the numbers.
    pub fn new(rule: ResizeRule, normalization: Normalization) -> Self {
        Preparation { rule, normalization }
    }

    /// How files become pixels.
    pub fn rule(&self) -> &ResizeRule {
        &self.rule
    }

    /// How pixels become numbers.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// The pixels as the network sees them, before normalisation. `[H, W, C]`
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one, unless the model was trained with `input.damaged = "fill"`.
    pub fn pixels(&self, bytes: &[u8]) -> Result<Image, DecodeError> {
        self.rule.pixels(bytes)
    }

    /// The network's input. `[H, W, C]`
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one, unless the model was trained with `input.damaged = "fill"`.
    pub fn input(&self, bytes: &[u8]) -> Result<Vec<f32>, DecodeError> {
        let pixels = self.pixels(bytes)?;
        let mut input = vec![0.0; pixels.data().len()];
        self.normalization.apply(pixels.data(), &mut input);
        Ok(input)
    }
}

impl ModelFile {
    /// Reads a model file.
    ///
    /// # Errors
    /// See [`ModelFileError`]. The file is not trusted: its sizes are checked before anything is allocated.
    pub fn read(path: &Path) -> Result<ModelFile, ModelFileError> {
        let bytes =
            read_regular(path).map_err(|source| ModelFileError::Io { path: path.to_owned(), source })?;
        ModelFile::of_bytes(path, &bytes)
    }

    /// Reads the bytes of a model file. `path` is its name in errors.
    ///
    /// # Errors
    /// As those of [`Self::read`].
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<ModelFile, ModelFileError> {
        let path = path.to_owned();
        let damaged = |source| ModelFileError::SafeTensors { path: path.clone(), source };
        let foreign = |reason: String| ModelFileError::NotAModel { path: path.clone(), reason };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| {
            foreign("it holds tensors, but was not written by Pupila: no classes, no input size".into())
        })?;
        let card: ModelCard = serde_json::from_str(text)
            .map_err(|error| foreign(format!("its description is damaged: {error}")))?;
        if card.format != FORMAT {
            let version = &card.version;
            return Err(foreign(format!(
                "written by version {version} in format {}, this version reads {FORMAT}",
                card.format
            )));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut state = StateDict::new();
        for (name, view) in tensors.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(foreign(format!("tensor {name} is {:?}, expected F32", view.dtype())));
            }
            let data =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            state.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), data });
        }
        // Files of before there were checksums have none.
        let (said, sum) =
            text.rsplit_once(CHECKSUM).map_or((&text[..], None), |(said, sum)| (said, Some(sum)));
        if sum.is_some_and(|sum| sum != format!("{}\"}}", checksum(said, &state))) {
            return Err(ModelFileError::Checksum { path });
        }
        Ok(ModelFile { card, state })
    }

    /// Writes a model file: to another name first, then renamed, so that a file of this name is always whole.
    ///
    /// # Errors
    /// [`ModelFileError::Io`], for example a full disk. An older file of this name is still there then.
    pub fn write(card: &ModelCard, state: &StateDict, path: &Path) -> Result<(), ModelFileError> {
        let failed = |source: io::Error| ModelFileError::Io { path: path.to_owned(), source };
        write_whole(path, &ModelFile::bytes(card, state).map_err(failed)?).map_err(failed)
    }

    /// The bytes of a model file.
    ///
    /// # Errors
    /// A tensor whose shape is not that of its values.
    pub fn bytes(card: &ModelCard, state: &StateDict) -> io::Result<Vec<u8>> {
        let bytes: Vec<(&String, Vec<u8>, &Tensor)> = state
            .iter()
            .map(|(name, t)| (name, t.data.iter().flat_map(|x| x.to_le_bytes()).collect(), t))
            .collect();
        let mut views = Vec::new();
        for (name, bytes, tensor) in &bytes {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
            views.push((name, view.map_err(io::Error::other)?));
        }
        let mut text = serde_json::to_string(card)?;
        // The end of the object, which comes behind the checksum.
        text.pop();
        text += &format!("{CHECKSUM}{}\"}}", checksum(&text, state));
        let metadata = HashMap::from([(KEY.to_owned(), text)]);
        safetensors::serialize(views, Some(metadata)).map_err(io::Error::other)
    }
}

/// The XXH3-128 of what a card says, up to its checksum, and of every tensor's name, shape and values, in hexadecimal.
fn checksum(said: &str, state: &StateDict) -> String {
    let mut hasher = twox_hash::XxHash3_128::new();
    // Lengths come before texts and shapes, so that no two files run together as the same bytes.
    let text = |hasher: &mut twox_hash::XxHash3_128, text: &str| {
        hasher.write(&(text.len() as u64).to_le_bytes());
        hasher.write(text.as_bytes());
    };
    text(&mut hasher, said);
    for (name, tensor) in state {
        text(&mut hasher, name);
        hasher.write(&(tensor.shape.len() as u64).to_le_bytes());
        tensor.shape.iter().for_each(|&side| hasher.write(&(side as u64).to_le_bytes()));
        for piece in tensor.data.chunks(1 << 14) {
            let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
            hasher.write(&bytes);
        }
    }
    format!("{:032x}", hasher.finish_128())
}

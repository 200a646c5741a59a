//! How a file's tensors fit a network: by name and shape, the head by its classes.

use crate::file::Weights;
use crate::pretrained::recognized;
use pupila_network::names::renaming;
use pupila_network::{Network, Op, ParameterSpec, Role, StateDict, Tensor};
use std::collections::BTreeMap;
use std::fmt;

/// The names of classes on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Classes<'a> {
    /// Those of the network's logits, in their order.
    pub of_network: &'a [String],
    /// Those of the file's logits, where the file names them.
    pub of_file: Option<&'a [String]>,
}

/// What became of the last layer, which gives the logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// Taken as it is.
    Taken,
    /// Taken as it is, by the number of its classes alone: the file does not name them.
    TakenUnnamed,
    /// Taken, its rows put into the order of the network's classes.
    Permuted,
    /// It starts anew: the file's classes are others.
    New {
        /// Logits of the file's head.
        was: usize,
    },
    /// It starts anew: the file has none.
    Absent,
}

/// Values of a network, of which some are learnt.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The values of every tensor of the network.
    pub state: StateDict,
    /// Tensors that were taken from the file.
    pub taken: usize,
    /// Tensors of the network.
    pub tensors: usize,
    /// Values in the tensors that were taken.
    pub values: usize,
    /// The package whose names the file has, where they are not the architecture's own.
    pub package: Option<&'static str>,
    /// What became of the head.
    pub head: Head,
    /// Logits of the network.
    pub classes: usize,
    /// The convolution whose three input channels were added up for gray images.
    pub folded: Option<String>,
    /// The convolution whose one input channel was given to all three of a color image.
    pub spread: Option<String>,
    /// Tensors of the network that start anew, other than the head's; only where that was allowed.
    pub missing: Vec<String>,
    /// Tensors of the file that the network has no use for; only where that was allowed.
    pub surplus: Vec<String>,
}

/// Tensors that do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitError {
    /// The architecture.
    pub architecture: String,
    /// Tensors of the network that the file does not have.
    pub missing: Vec<String>,
    /// Tensors that fit.
    pub fitting: usize,
    /// Tensors of the file that the network does not have.
    pub surplus: Vec<String>,
    /// Tensors of another shape, or with values that are no numbers: what is wrong with each.
    pub wrong: Vec<String>,
    /// The architecture that the tensors are of, where that is known.
    pub recognized: Option<&'static str>,
}

/// So many names are told of each kind.
const TOLD: usize = 4;

/// Some names, and how many more there are.
fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(TOLD);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", "))
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.missing.is_empty()
            && self.surplus.is_empty()
            && !self.wrong.is_empty()
            && self.recognized == Some(&self.architecture[..])
        {
            write!(f, "its tensors are those of {}, but", self.architecture)?;
        } else {
            write!(f, "its tensors are not those of {}", self.architecture)?;
        }
        let one_or_more =
            |n: usize, one: &str, more: &str| if n == 1 { one.to_owned() } else { format!("{n} {more}") };
        if !self.wrong.is_empty() {
            write!(f, "; {}", some(&self.wrong))?;
        }
        if !self.missing.is_empty() {
            let n = one_or_more(self.missing.len(), "one is", "are");
            write!(f, "; {n} missing: {}", some(&self.missing))?;
        }
        if !self.surplus.is_empty() {
            let n = one_or_more(self.surplus.len(), "one is", "are");
            write!(f, "; {n} surplus: {}", some(&self.surplus))?;
        }
        match self.recognized {
            Some(name) if name != self.architecture => {
                write!(f, "; they are those of {name}: type --model {name}")
            }
            // Where hardly anything fits, another network is meant.
            _ if self.wrong.is_empty() && self.fitting > self.missing.len() => f.write_str(
                "; --set transfer.strict=false starts the missing ones anew and leaves the surplus out",
            ),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for FitError {}

/// The node that gives the logits, if its op has a weight.
fn head_of(network: &Network) -> Option<usize> {
    network.parameters().last().map(|spec| spec.node).filter(|&node| {
        matches!(network.nodes()[node].op, Op::Linear { outputs, .. } if outputs == network.classes())
    })
}

/// Whether a tensor is the weight of a convolution that sees the image itself.
fn sees_image(network: &Network, spec: &ParameterSpec) -> bool {
    let node = &network.nodes()[spec.node];
    spec.role == Role::Weight && matches!(node.op, Op::Conv2d(_)) && node.inputs == [0]
}

impl Fitted {
    /// Takes what fits from a file over a network's first values, by name and shape.
    ///
    /// The head is taken where its classes are those of the network, in whatever order; otherwise it keeps its first values. A convolution that sees
    /// three channels sees one where its weights are added up: gray is the same value in all three. Where `strict`, nothing else may be missing or left
    /// over.
    ///
    /// # Errors
    /// All tensors that do not fit.
    pub fn new(
        network: &Network,
        initial: StateDict,
        weights: &Weights,
        classes: Classes<'_>,
        strict: bool,
    ) -> Result<Fitted, FitError> {
        let specs = network.parameters();
        let head = head_of(network);
        let mut fitted = Fitted {
            state: initial,
            taken: 0,
            tensors: specs.len(),
            values: 0,
            package: None,
            head: Head::Absent,
            classes: network.classes(),
            folded: None,
            spread: None,
            missing: Vec::new(),
            surplus: Vec::new(),
        };
        let mut wrong = Vec::new();
        let renaming = renaming(network, weights.tensors.keys().map(String::as_str));
        fitted.package = renaming.package;
        let found: BTreeMap<&str, &Tensor> = renaming
            .names
            .iter()
            .filter_map(|(theirs, ours)| Some((ours.as_str(), weights.tensors.get(theirs)?)))
            .collect();
        let rows = head_order(&found, &specs, head, classes);
        for spec in &specs {
            let is_head = Some(spec.node) == head;
            let Some(&tensor) = found.get(spec.name.as_str()) else {
                if !is_head {
                    fitted.missing.push(spec.name.clone());
                }
                continue;
            };
            if let Some(place) = tensor.data.iter().position(|value| !value.is_finite()) {
                wrong.push(format!("{} holds {} at {place}", spec.name, tensor.data[place]));
                continue;
            }
            if spec.role == Role::RunningVar
                && let Some(channel) = tensor.data.iter().position(|&variance| variance < 0.0)
            {
                wrong.push(format!(
                    "{} holds {} for channel {channel}, and no variance is negative",
                    spec.name, tensor.data[channel]
                ));
                continue;
            }
            let value = match &rows {
                HeadRows::New { .. } | HeadRows::Absent if is_head => continue,
                HeadRows::Order(order) if is_head => permuted(tensor, order, &spec.shape),
                _ if tensor.shape == spec.shape => Some(tensor.clone()),
                _ if sees_image(network, spec) => {
                    let gray =
                        folded(tensor, &spec.shape).inspect(|_| fitted.folded = Some(spec.name.clone()));
                    gray.or_else(|| {
                        spread(tensor, &spec.shape).inspect(|_| fitted.spread = Some(spec.name.clone()))
                    })
                }
                _ => None,
            };
            let Some(value) = value else {
                wrong.push(format!(
                    "{} has shape {:?}, the network needs {:?}",
                    spec.name, tensor.shape, spec.shape
                ));
                continue;
            };
            fitted.taken += 1;
            fitted.values += value.data.len();
            fitted.state.insert(spec.name.clone(), value);
        }
        fitted.head = rows.told(classes);
        let unnamed = weights.tensors.keys().filter(|name| !renaming.names.contains_key(*name));
        fitted.surplus = unnamed.cloned().collect();
        if !wrong.is_empty()
            || strict && !(fitted.missing.is_empty() && fitted.surplus.is_empty())
            || fitted.taken == 0
        {
            return Err(FitError {
                architecture: network.architecture.clone(),
                missing: fitted.missing,
                fitting: fitted.taken,
                surplus: fitted.surplus,
                wrong,
                recognized: recognized(&weights.tensors),
            });
        }
        Ok(fitted)
    }
}

/// Which row of the file's head becomes each row of the network's.
enum HeadRows {
    Order(Vec<usize>),
    New { was: usize },
    Absent,
}

fn head_order(
    found: &BTreeMap<&str, &Tensor>,
    specs: &[ParameterSpec],
    head: Option<usize>,
    classes: Classes<'_>,
) -> HeadRows {
    let weight = specs.iter().find(|spec| Some(spec.node) == head && spec.role == Role::Weight);
    let Some(was) = weight.and_then(|spec| found.get(spec.name.as_str())?.shape.first().copied()) else {
        return HeadRows::Absent;
    };
    let order = match classes.of_file {
        // A file that names no classes is taken at its word only where all of them are there.
        None => (was == classes.of_network.len()).then(|| (0..was).collect()),
        Some(names) if names.len() == classes.of_network.len() && names.len() == was => {
            classes.of_network.iter().map(|name| names.iter().position(|other| other == name)).collect()
        }
        Some(_) => None,
    };
    order.map_or(HeadRows::New { was }, HeadRows::Order)
}

impl HeadRows {
    fn told(&self, classes: Classes<'_>) -> Head {
        match self {
            HeadRows::New { was } => Head::New { was: *was },
            HeadRows::Absent => Head::Absent,
            HeadRows::Order(_) if classes.of_file.is_none() => Head::TakenUnnamed,
            HeadRows::Order(order) if order.iter().enumerate().all(|(at, &row)| at == row) => Head::Taken,
            HeadRows::Order(_) => Head::Permuted,
        }
    }
}

/// A tensor whose rows are put into another order.
fn permuted(tensor: &Tensor, order: &[usize], shape: &[usize]) -> Option<Tensor> {
    if tensor.shape != shape || order.is_empty() {
        return None;
    }
    let row = tensor.data.len() / order.len();
    let data = order.iter().flat_map(|&from| &tensor.data[from * row..(from + 1) * row]).copied().collect();
    Some(Tensor { shape: shape.to_vec(), data })
}

/// The weight `[outputs, 1, k, k]` that gives of a gray image what one of `[outputs, 3, k, k]` gives of its three equal channels.
fn folded(tensor: &Tensor, shape: &[usize]) -> Option<Tensor> {
    match (&tensor.shape[..], shape) {
        (&[outputs, 3, height, width], &[needed, 1, h, w]) if (outputs, height, width) == (needed, h, w) => {
            let plane = height * width;
            let sum = |of: &[f32], at: usize| of[at] + of[plane + at] + of[2 * plane + at];
            let filters = tensor.data.chunks_exact(3 * plane);
            Some(Tensor {
                shape: shape.to_vec(),
                data: filters.flat_map(|of| (0..plane).map(move |at| sum(of, at))).collect(),
            })
        }
        _ => None,
    }
}

/// The shares of red, green and blue in gray (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// The weight `[outputs, 3, k, k]` that gives of a color image what one of `[outputs, 1, k, k]` gives of the same image in gray.
fn spread(tensor: &Tensor, shape: &[usize]) -> Option<Tensor> {
    match (&tensor.shape[..], shape) {
        (&[outputs, 1, height, width], &[needed, 3, h, w]) if (outputs, height, width) == (needed, h, w) => {
            let filters = tensor.data.chunks_exact(height * width);
            let of =
                |filter: &[f32], share: f32| filter.iter().map(|value| value * share).collect::<Vec<_>>();
            Some(Tensor {
                shape: shape.to_vec(),
                data: filters
                    .flat_map(|filter| LUMA.into_iter().flat_map(move |share| of(filter, share)))
                    .collect(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Format;
    use pupila_network::{Init, ModelConfig, Shape, architectures};

    fn names(of: &str) -> Vec<String> {
        of.chars().map(String::from).collect()
    }

    fn network(name: &str, channels: usize, classes: usize) -> Network {
        let config = ModelConfig { name: name.into(), ..ModelConfig::default() };
        architectures::build(&config, Shape::Map { height: 32, width: 32, channels }, classes).unwrap()
    }

    fn weights(tensors: StateDict) -> Weights {
        Weights {
            path: "w.pt".into(),
            member: None,
            format: Format::TorchZip,
            sha256: String::new(),
            tensors,
            left_out: Vec::new(),
            metadata: BTreeMap::new(),
            taken: Vec::new(),
        }
    }

    fn fit(
        network: &Network,
        weights: &Weights,
        own: &str,
        file: Option<&str>,
        strict: bool,
    ) -> Result<Fitted, FitError> {
        let (own, file) = (names(own), file.map(names));
        let classes = Classes { of_network: &own, of_file: file.as_deref() };
        Fitted::new(network, Init::Pytorch.state(network, 2), weights, classes, strict)
    }

    #[test]
    fn the_head_follows_the_classes() {
        let network = network("cnn", 3, 3);
        let learnt = weights(Init::Pytorch.state(&network, 1));
        let initial = Init::Pytorch.state(&network, 2);
        let head: Vec<String> =
            network.parameters().iter().rev().take(2).map(|spec| spec.name.clone()).collect();
        let row = |state: &StateDict, at: usize| {
            let weight = &state[&head[1]];
            let row = weight.data.len() / weight.shape[0];
            (weight.data[at * row..(at + 1) * row].to_vec(), state[&head[0]].data[at])
        };
        let of = |own: &str, file: Option<&str>| fit(&network, &learnt, own, file, true).unwrap();
        let same = of("abc", Some("abc"));
        assert_eq!((same.head, same.state == learnt.tensors, same.taken), (Head::Taken, true, same.tensors));
        let permuted = of("cab", Some("abc"));
        assert_eq!(permuted.head, Head::Permuted);
        for (at, from) in [(0, 2), (1, 0), (2, 1)] {
            assert_eq!(row(&permuted.state, at), row(&learnt.tensors, from));
        }
        let other = of("abd", Some("abc"));
        assert_eq!(other.head, Head::New { was: 3 });
        for name in &head {
            assert_eq!(other.state[name], initial[name]);
        }
        assert_eq!(other.taken, other.tensors - 2);
        assert_eq!(of("abd", None).head, Head::TakenUnnamed);
        let mut without = learnt.clone();
        head.iter().for_each(|name| drop(without.tensors.remove(name)));
        assert_eq!(fit(&network, &without, "abc", None, true).unwrap().head, Head::Absent);
    }

    #[test]
    fn three_channels_are_added_up_for_gray() {
        let (color, gray) = (network("resnet18", 3, 2), network("resnet18", 1, 2));
        let learnt = weights(Init::Pytorch.state(&color, 1));
        let fitted = fit(&gray, &learnt, "ab", Some("ab"), true).unwrap();
        assert_eq!(fitted.folded.as_deref(), Some("conv1.weight"));
        let (from, to) = (&learnt.tensors["conv1.weight"], &fitted.state["conv1.weight"]);
        assert_eq!(to.shape, [64, 1, 7, 7]);
        assert_eq!(to.data[50], from.data[3 * 49 + 1] + from.data[4 * 49 + 1] + from.data[5 * 49 + 1]);
        let learnt = weights(Init::Pytorch.state(&gray, 1));
        let fitted = fit(&color, &learnt, "ab", None, true).unwrap();
        assert_eq!(fitted.spread.as_deref(), Some("conv1.weight"));
        let (from, to) = (&learnt.tensors["conv1.weight"], &fitted.state["conv1.weight"]);
        assert_eq!(to.shape, [64, 3, 7, 7]);
        let of = |channel: usize| to.data[(5 * 3 + channel) * 49 + 2];
        assert_eq!([of(0), of(1), of(2)], LUMA.map(|share| from.data[5 * 49 + 2] * share));
        let mut other = learnt.clone();
        other
            .tensors
            .insert("conv1.weight".into(), Tensor { shape: vec![64, 2, 7, 7], data: vec![0.0; 64 * 98] });
        let error = fit(&color, &other, "ab", None, false).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("conv1.weight has shape [64, 2, 7, 7], the network needs [64, 3, 7, 7]"),
            "{error}"
        );
    }

    #[test]
    fn a_negative_variance_is_named() {
        let network = network("resnet18", 3, 2);
        let mut learnt = weights(Init::Pytorch.state(&network, 1));
        learnt.tensors.get_mut("bn1.running_var").unwrap().data[7] = -0.25;
        let told = fit(&network, &learnt, "ab", None, true).unwrap_err().to_string();
        assert!(
            told.contains("bn1.running_var holds -0.25 for channel 7, and no variance is negative"),
            "{told}"
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (network, mobile_network) = (network("resnet18", 3, 2), network("mobilenet_v2", 3, 5));
        let mut learnt = weights(Init::Pytorch.state(&network, 1));
        learnt.tensors.remove("layer2.0.bn1.bias");
        learnt.tensors.insert("aux.weight".into(), Tensor { shape: vec![1], data: vec![0.0] });
        let told = fit(&network, &learnt, "ab", None, true).unwrap_err().to_string();
        assert!(told.contains("one is missing: layer2.0.bn1.bias; one is surplus: aux.weight"), "{told}");
        assert!(told.contains("transfer.strict=false"), "{told}");
        let fitted = fit(&network, &learnt, "ab", None, false).unwrap();
        assert_eq!(
            (&fitted.missing[..], &fitted.surplus[..]),
            (&["layer2.0.bn1.bias".to_owned()][..], &["aux.weight".to_owned()][..])
        );
        let mobile = weights(Init::Pytorch.state(&mobile_network, 1));
        let told = fit(&network, &mobile, "ab", None, true).unwrap_err().to_string();
        assert!(told.ends_with("they are those of mobilenet_v2: type --model mobilenet_v2"), "{told}");
        let error = fit(&network, &mobile, "ab", None, false).unwrap_err();
        assert_eq!(error.missing.len(), network.parameters().len() - 2, "nothing fits");
        let mut bad = weights(Init::Pytorch.state(&network, 1));
        bad.tensors.get_mut("bn1.bias").unwrap().data[3] = f32::NAN;
        let told = fit(&network, &bad, "ab", None, true).unwrap_err().to_string();
        assert!(told.contains("bn1.bias holds NaN at 3"), "{told}");
    }
}

//! Near duplicates against the truth: plants copies of each kind into a folder of real pictures and says how many are found.
//!
//! `near_truth FOLDER [--true-pairs FILE] [--sheets FOLDER] [--keep FOLDER] [--each 200] [--seed 0] [--check]`; with `--check`, which comes last, it
//! fails where a recall or the precision is below 0.95, or of exact copies below 0.98. `--keep` writes all pictures with what is known and what was
//! found, for `benches/compare_near.py`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use pupila_dataset::{ScanOptions, scan};
use pupila_image::{Image, Interpolation, Limits, Reading, decode, encode_jpeg, encode_png, resize};
use pupila_inspect::near::{self, Turn};
use pupila_inspect::{Kind as FindingKind, inspect, look, measure};
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What is done to a picture. The last number of some says which of several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Recompressed,
    Half,
    Flipped(u32),
    Turned(u32),
    Cropped,
    Brightness(u32),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Recompressed => "JPEG quality 50",
            Kind::Half => "half size",
            Kind::Flipped(_) => "flipped",
            Kind::Turned(_) => "turned by 90, 180, 270",
            Kind::Cropped => "cropped by 5 %",
            Kind::Brightness(_) => "brightness +-20 %",
        }
    }

    fn turn(self) -> Turn {
        match self {
            Kind::Flipped(0) => Turn::Mirrored,
            Kind::Flipped(_) => Turn::UpsideDownMirrored,
            Kind::Turned(0) => Turn::Clockwise,
            Kind::Turned(1) => Turn::Half,
            Kind::Turned(_) => Turn::Counterclockwise,
            _ => Turn::Upright,
        }
    }
}

/// The bytes of the copy of a picture.
fn planted(image: &Image, kind: Kind, stream: &mut Stream) -> Result<Vec<u8>, Failed> {
    let (width, height) = (image.width(), image.height());
    let copy = match kind {
        Kind::Recompressed => image.clone(),
        Kind::Half => resize(image, (width / 2).max(1), (height / 2).max(1), Interpolation::Area),
        Kind::Flipped(_) | Kind::Turned(_) => turned(image, kind.turn())?,
        Kind::Cropped => {
            let (w, h) = (share(width), share(height));
            let (x, y) = (stream.below(width - w + 1), stream.below(height - h + 1));
            window(image, (x, y), (w, h))?
        }
        Kind::Brightness(sign) => {
            let factor = if sign == 0 { 0.8 } else { 1.2 };
            let mut copy = image.clone();
            copy.data_mut().iter_mut().for_each(|v| *v = (f32::from(*v) * factor).round().min(255.0) as u8);
            copy
        }
    };
    Ok(encode_jpeg(&copy, if kind == Kind::Recompressed { 50 } else { 90 })?)
}

fn share(side: u32) -> u32 {
    ((f64::from(side) * 0.95).round() as u32).max(1)
}

fn window(image: &Image, (x, y): (u32, u32), (w, h): (u32, u32)) -> Result<Image, Failed> {
    let rows = (y..y + h).flat_map(|row| {
        let start = (row * image.width() + x) as usize * 3;
        image.data()[start..start + w as usize * 3].iter().copied()
    });
    Ok(Image::new(w, h, 3, rows.collect())?)
}

fn turned(image: &Image, turn: Turn) -> Result<Image, Failed> {
    let (width, height) = turn.of_size((image.width(), image.height()));
    // Written out, so that it is not what is measured that says what is right.
    let pixels = image.data().as_chunks::<3>().0;
    let at = |x: usize, y: usize| pixels[y * image.width() as usize + x];
    let (w, h) = (image.width() as usize, image.height() as usize);
    let mut data = Vec::with_capacity(pixels.len() * 3);
    for y in 0..height as usize {
        for x in 0..width as usize {
            data.extend(match turn {
                Turn::Mirrored => at(w - 1 - x, y),
                Turn::UpsideDownMirrored => at(x, h - 1 - y),
                Turn::Half => at(w - 1 - x, h - 1 - y),
                Turn::Clockwise => at(y, h - 1 - x),
                Turn::Counterclockwise => at(w - 1 - y, x),
                _ => at(x, y),
            });
        }
    }
    Ok(Image::new(width, height, 3, data)?)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failed> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|e| ["jpg", "jpeg", "png"].iter().any(|&known| e.eq_ignore_ascii_case(known)))
        {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("which folder?")?);
    let mut options: HashMap<String, String> = HashMap::new();
    while let (Some(name), Some(value)) = (args.next(), args.next()) {
        options.insert(name, value);
    }
    let each: usize = options.get("--each").map_or(Ok(200), |v| v.parse())?;
    let seed: u64 = options.get("--seed").map_or(Ok(0), |v| v.parse())?;
    let mut paths = Vec::new();
    files(&folder, &mut paths)?;
    paths.sort();
    let names: Vec<String> =
        paths.iter().map(|p| p.strip_prefix(&folder).unwrap_or(p).to_string_lossy().into_owned()).collect();
    let n = names.len();

    let mut order: Vec<usize> = (0..n).collect();
    Stream::new(seed, Purpose::Subset, 0, 0).shuffle(&mut order);
    let ways = |i: usize| -> [Kind; 6] {
        let i = i as u32;
        [
            Kind::Recompressed,
            Kind::Half,
            Kind::Flipped(i % 2),
            Kind::Turned(i % 3),
            Kind::Cropped,
            Kind::Brightness(i % 2),
        ]
    };
    let plan: Vec<(usize, Kind)> = (0..6)
        .flat_map(|k| (0..each).map(move |i| (k, i)))
        .map(|(k, i)| (order[(k * each + i) % n], ways(i)[k]))
        .collect();

    let reading = Reading::default();
    let kept = options.get("--keep").map(Path::new);
    if let Some(folder) = kept {
        std::fs::create_dir_all(folder)?;
    }
    let looked: Vec<(Vec<u8>, (u32, u32))> = (0..n + plan.len())
        .into_par_iter()
        .map(|i| -> Result<_, Failed> {
            let bytes = if i < n {
                std::fs::read(&paths[i])?
            } else {
                let (source, kind) = plan[i - n];
                let image = decode(&std::fs::read(&paths[source])?, 3, &Limits::default())?;
                planted(&image, kind, &mut Stream::new(seed, Purpose::Augment(0), i as u32, 0))?
            };
            if let Some(folder) = kept {
                std::fs::write(folder.join(format!("{i:06}.jpg")), &bytes)?;
            }
            let measured = measure(&bytes, &reading)?;
            Ok((measured.thumbnails.gray, measured.measurement.size))
        })
        .collect::<Result<_, _>>()?;
    let gray: Vec<&[u8]> = looked.iter().map(|l| &l.0[..]).collect();
    let sizes: Vec<(u32, u32)> = looked.iter().map(|l| l.1).collect();

    let clock = std::time::Instant::now();
    let found = near::find(&gray, &sizes, None, &|| false).ok_or("interrupted")?;
    println!(
        "{} pictures, {} planted: {:.1} s, {} pairs, {} unjudged",
        n,
        plan.len(),
        clock.elapsed().as_secs_f64(),
        found.pairs.len(),
        found.unjudged.len()
    );

    let source = |i: usize| if i < n { i } else { plan[i - n].0 };
    let mut parent: Vec<usize> = (0..n).collect();
    if let Some(file) = options.get("--true-pairs") {
        let places: HashMap<&str, usize> =
            names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        for line in std::fs::read_to_string(file)?.lines() {
            let known: Vec<usize> = line.split('\t').filter_map(|name| places.get(name).copied()).collect();
            if let [a, b, ..] = known[..] {
                let (a, b) = (root(&parent, a), root(&parent, b));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    if let Some(folder) = kept {
        let row = |i: usize| {
            let kind = if i < n { "original" } else { plan[i - n].1.name() };
            format!("{i:06}.jpg\t{:06}.jpg\t{:06}.jpg\t{kind}\n", source(i), root(&parent, source(i)))
        };
        std::fs::write(folder.join("truth.tsv"), (0..n + plan.len()).map(row).collect::<String>())?;
        let pair = |p: &near::Near| format!("{:06}.jpg\t{:06}.jpg\n", p.a, p.b);
        std::fs::write(folder.join("ours.tsv"), found.pairs.iter().map(pair).collect::<String>())?;
    }
    let exact = exact(&paths, &order, each, &reading)?;
    let hits: HashSet<(usize, usize)> = found.pairs.iter().map(|p| (p.a, p.b)).collect();
    let mut by_kind: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (i, &(s, kind)) in plan.iter().enumerate() {
        let entry = by_kind.entry(kind.name()).or_default();
        entry.1 += 1;
        entry.0 += usize::from(hits.contains(&(s, n + i)));
    }
    let mut lowest = (1.0, "");
    for (name, (hit, all)) in by_kind {
        let recall = hit as f64 / all as f64;
        println!("recall {name}: {recall:.3} ({hit} of {all})");
        if recall < lowest.0 {
            lowest = (recall, name);
        }
    }
    let right =
        found.pairs.iter().filter(|p| root(&parent, source(p.a)) == root(&parent, source(p.b))).count();
    let precision = right as f64 / found.pairs.len().max(1) as f64;
    println!(
        "result: exact copies {exact:.3}, lowest recall {:.3} ({}), precision {precision:.3} ({right} of {})",
        lowest.0,
        lowest.1,
        found.pairs.len()
    );
    if std::env::args().next_back().as_deref() == Some("--check")
        && (exact < 0.98 || lowest.0 < 0.95 || precision < 0.95)
    {
        return Err("below 0.95, or of exact copies below 0.98".into());
    }
    let unknown: Vec<&near::Near> =
        found.pairs.iter().filter(|p| root(&parent, source(p.a)) != root(&parent, source(p.b))).collect();
    println!("{} pairs among the originals", found.pairs.iter().filter(|p| p.b < n).count());
    if let Some(folder) = options.get("--sheets") {
        sheets(Path::new(folder), &unknown, &names, &paths, source)?;
    }
    Ok(())
}

/// The lowest recall of exact copies. `each` pictures are laid into a training set, and once more into a validation set: as the same bytes and as
/// the same pixels in another lossless file. Found is what the finding of exact copies across splits has in one group.
fn exact(paths: &[PathBuf], order: &[usize], each: usize, reading: &Reading) -> Result<f64, Failed> {
    const KINDS: [&str; 3] = ["bytes", "lossless", "anew"];
    let folder = tempfile::tempdir()?;
    for split in ["train", "val"] {
        for kind in KINDS {
            std::fs::create_dir_all(folder.path().join(split).join(kind))?;
        }
    }
    let planted: Vec<usize> = order.iter().copied().take(each).collect();
    planted.par_iter().try_for_each(|&at| -> Result<(), Failed> {
        let bytes = std::fs::read(&paths[at])?;
        let image = decode(&bytes, 3, &Limits::default())?;
        let png = encode_png(&image)?;
        let (extension, place) = (paths[at].extension().unwrap_or_default(), folder.path());
        let own = Path::new(&at.to_string()).with_extension(extension);
        let pairs = [
            ("bytes", &own, &bytes, &own, &bytes),
            (
                "lossless",
                &PathBuf::from(format!("{at}.png")),
                &png,
                &PathBuf::from(format!("{at}.bmp")),
                &bitmap(&image),
            ),
            ("anew", &own, &bytes, &PathBuf::from(format!("{at}.png")), &png),
        ];
        for (kind, name, of_train, copy, of_val) in pairs {
            std::fs::write(place.join("train").join(kind).join(name), of_train)?;
            std::fs::write(place.join("val").join(kind).join(copy), of_val)?;
        }
        Ok(())
    })?;
    let dataset = scan(folder.path(), &ScanOptions::default(), None)?;
    let mut looked = look(&dataset, reading, None, &|_| {}, &|| false)?;
    let inspection = inspect(&dataset, &mut looked, reading, &|| false).ok_or("interrupted")?;
    let of_kind = |kind: FindingKind| inspection.findings.iter().filter(move |finding| finding.kind == kind);
    let parts = |place: usize| -> Vec<String> {
        let path = &dataset.samples[place].path;
        let path = path.strip_prefix(folder.path()).unwrap_or(path);
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect()
    };
    // Of a kind, the pictures that a group of the finding has in both splits.
    let share = |found: FindingKind, kind: &str| {
        let mut hit: HashSet<usize> = HashSet::new();
        for group in of_kind(found).flat_map(|finding| &finding.groups) {
            let members: HashSet<Vec<String>> = group.iter().map(|&place| parts(place)).collect();
            hit.extend(planted.iter().copied().filter(|at| {
                ["train", "val"]
                    .iter()
                    .all(|split| members.contains(&vec![(*split).into(), kind.into(), at.to_string()]))
            }));
        }
        hit.len() as f64 / planted.len().max(1) as f64
    };
    let exact = FindingKind::ExactDuplicateAcrossSplits;
    println!("recall of the same bytes: {:.3}", share(exact, "bytes"));
    println!(
        "recall of the same pixels in another lossless file (PNG, BMP): {:.3}",
        share(exact, "lossless")
    );
    let near = share(FindingKind::NearDuplicateAcrossSplits, "anew");
    println!("a JPEG stored anew as PNG: {:.3} exact, {near:.3} near", share(exact, "anew"));
    Ok(share(exact, "bytes").min(share(exact, "lossless")))
}

/// A picture in color as a BMP file of 24 bits.
fn bitmap(image: &Image) -> Vec<u8> {
    let row = (image.width() as usize * 3).next_multiple_of(4);
    let size = 54 + row * image.height() as usize;
    let mut bytes = b"BM".to_vec();
    for word in [size as u32, 0, 54, 40, image.width(), image.height(), 24 << 16 | 1, 0, 0, 0, 0, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    for pixels in image.data().chunks_exact(image.width() as usize * 3).rev() {
        let start = bytes.len();
        bytes.extend(pixels.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [b, g, r]));
        bytes.resize(start + row, 0);
    }
    bytes
}

/// Contact sheets of pairs that are not known to be true, each of two originals once, and their names in the same order.
fn sheets(
    folder: &Path,
    pairs: &[&near::Near],
    names: &[String],
    paths: &[PathBuf],
    source: impl Fn(usize) -> usize,
) -> Result<(), Failed> {
    let mut best: BTreeMap<(usize, usize), f32> = BTreeMap::new();
    for pair in pairs {
        let (a, b) = (source(pair.a), source(pair.b));
        let alike = best.entry((a.min(b), a.max(b))).or_default();
        *alike = alike.max(pair.alike);
    }
    let mut ordered: Vec<((usize, usize), f32)> = best.into_iter().collect();
    ordered.sort_by(|x, y| y.1.total_cmp(&x.1));
    std::fs::create_dir_all(folder)?;
    let lines: String =
        ordered.iter().map(|((a, b), alike)| format!("{}\t{}\t{alike:.3}\n", names[*a], names[*b])).collect();
    std::fs::write(folder.join("pairs.tsv"), lines)?;
    const TILE: u32 = 112;
    const COLUMNS: u32 = 8;
    for (page, pairs) in ordered.chunks(48).enumerate() {
        let width = COLUMNS * (2 * TILE + 8);
        let height = (pairs.len() as u32).div_ceil(COLUMNS) * (TILE + 8);
        let mut data = vec![128; (width * height * 3) as usize];
        for (i, &((a, b), _)) in pairs.iter().enumerate() {
            for (j, picture) in [a, b].into_iter().enumerate() {
                let tile = decode(&std::fs::read(&paths[picture])?, 3, &Limits::default())?;
                let tile = resize(&tile, TILE, TILE, Interpolation::Area);
                let left = i as u32 % COLUMNS * (2 * TILE + 8) + j as u32 * TILE;
                for (y, row) in tile.data().chunks_exact(TILE as usize * 3).enumerate() {
                    let top = i as u32 / COLUMNS * (TILE + 8) + y as u32;
                    data[((top * width + left) * 3) as usize..][..row.len()].copy_from_slice(row);
                }
            }
        }
        let sheet = Image::new(width, height, 3, data)?;
        std::fs::write(folder.join(format!("{page}.png")), encode_png(&sheet)?)?;
    }
    Ok(())
}

fn root(parent: &[usize], mut i: usize) -> usize {
    while parent[i] != i {
        i = parent[i];
    }
    i
}

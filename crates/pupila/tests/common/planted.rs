//! Data sets of small pictures in which it is known where the class shows.

use pupila_image::{Image, encode_png};
use pupila_random::{Purpose, Stream};
use std::fs;
use std::path::Path;

/// Height and width of the pictures, in pixels.
const SIDE: u32 = 20;

/// Where the class shows; everywhere else is noise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// In the color of the outermost pixels.
    Border,
    /// In the color of the middle.
    Centre,
    /// There alone, and not always: one picture in so many has the color of another class.
    CentreMostly(u32),
}

/// Class folders `a`, `b`, `c` below folders of the splits, each with so many pictures.
pub fn planted(to: &Path, splits: &[(&str, u32)], shows: Shows) {
    for (split, (name, count)) in splits.iter().enumerate() {
        for class in 0..3u32 {
            let folder = to.join(name).join(["a", "b", "c"][class as usize]);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..*count {
                let place = number + 1000 * class + 10_000 * split as u32;
                let png = encode_png(&picture(class, place, shows)).unwrap();
                fs::write(folder.join(format!("{number:03}.png")), png).unwrap();
            }
        }
    }
}

fn picture(class: u32, number: u32, shows: Shows) -> Image {
    let mut stream = Stream::new(9, Purpose::Subset, number, 0);
    let class = match shows {
        Shows::CentreMostly(often) if stream.below(often) == 0 => (class + 1 + stream.below(2)) % 3,
        _ => class,
    };
    let mut pixels = Vec::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let is_border = x.min(y).min(SIDE - 1 - x).min(SIDE - 1 - y) < 2;
            let is_centre = [x, y].iter().all(|at| (6..14).contains(at));
            let is_of_class = if shows == Shows::Border { is_border } else { is_centre };
            for channel in 0..3 {
                let noise = stream.below(120) as u8;
                pixels.push(if is_of_class && channel == class { noise + 130 } else { noise });
            }
        }
    }
    Image::new(SIDE, SIDE, 3, pixels).unwrap()
}

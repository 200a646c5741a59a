//! Where the elements of a tensor stand in memory, against their order in a PyTorch file.

use crate::kernels::tile::COLUMNS;
use pupila_network::{FlattenedMap, ParameterSpec, Role};

/// How the elements of a tensor in a file map to the engine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The same order in both.
    Plain(usize),
    /// The weight of a linear op or a convolution. File: `[outputs, inputs]`, the inputs channels first where they were a map,
    /// as a convolution's window is. Memory: panels of 32
    /// outputs, each `[inputs, 32]` with the inputs channels last; the last panel is filled up with zeros. A tile reads a
    /// panel in order, and the gradient of a run of rows is a run of memory.
    Panels {
        /// Output features.
        outputs: usize,
        /// The map behind the inputs; one channel for a vector.
        map: FlattenedMap,
        /// Outputs of a panel: 32, or all of a convolution in groups, which has no tiles.
        width: usize,
    },
}

impl Layout {
    /// The layout that the engine gives a tensor.
    pub fn of(spec: &ParameterSpec) -> Layout {
        match (spec.role, spec.shape.as_slice()) {
            (Role::Weight, &[outputs, inputs]) | (Role::Weight, &[outputs, inputs, _, _]) => Layout::Panels {
                outputs,
                map: spec.flattened.unwrap_or(FlattenedMap { positions: inputs, channels: 1 }),
                width: if spec.groups == 1 { COLUMNS } else { outputs },
            },
            _ => Layout::Plain(spec.len()),
        }
    }

    /// Elements in memory, the filling included.
    pub fn len(self) -> usize {
        match self {
            Layout::Plain(len) => len,
            Layout::Panels { outputs, map, width } => {
                outputs.next_multiple_of(width) * map.positions * map.channels
            }
        }
    }

    /// Copies from the file's order to memory's; the filling of `memory` is left as it is.
    pub fn read<T: Copy, U>(self, file: &[T], memory: &mut [U], convert: impl Fn(T) -> U + Copy) {
        self.pairs(|f, m| memory[m] = convert(file[f]));
    }

    /// Copies from memory's order to the file's.
    pub fn write<T: Copy, U>(self, memory: &[T], file: &mut [U], convert: impl Fn(T) -> U + Copy) {
        self.pairs(|f, m| file[f] = convert(memory[m]));
    }

    /// Calls with the place in the file and the place in memory of every element.
    #[inline(always)]
    fn pairs(self, mut pair: impl FnMut(usize, usize)) {
        match self {
            Layout::Plain(len) => (0..len).for_each(|i| pair(i, i)),
            Layout::Panels { outputs, map: FlattenedMap { positions, channels }, width: columns } => {
                let inputs = positions * channels;
                for first in (0..outputs).step_by(columns) {
                    let panel = first * inputs;
                    let width = columns.min(outputs - first);
                    for position in 0..positions {
                        for channel in 0..channels {
                            let row = panel + (position * channels + channel) * columns;
                            let column = channel * positions + position;
                            for j in 0..width {
                                pair((first + j) * inputs + column, row + j);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_turn_channels_last_and_keep_every_element() {
        for (outputs, positions, channels) in [(1, 1, 1), (3, 5, 1), (32, 4, 3), (33, 6, 2), (70, 9, 3)] {
            let layout = Layout::Panels { outputs, map: FlattenedMap { positions, channels }, width: 32 };
            let inputs = positions * channels;
            let file: Vec<usize> = (1..=outputs * inputs).collect();
            let mut memory = vec![0; layout.len()];
            layout.read(&file, &mut memory, |x| x);
            for o in 0..outputs {
                for c in 0..channels {
                    for p in 0..positions {
                        let place = (o / 32) * 32 * inputs + (p * channels + c) * 32 + o % 32;
                        assert_eq!(memory[place], file[o * inputs + c * positions + p]);
                    }
                }
            }
            assert_eq!(memory.iter().filter(|&&x| x == 0).count(), layout.len() - file.len());
            let mut back = vec![0; file.len()];
            layout.write(&memory, &mut back, |x| x);
            assert_eq!(back, file);
        }
    }
}

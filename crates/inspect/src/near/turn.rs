//! The eight ways to lay a square on itself.

/// How a picture is turned or mirrored. A quarter turn of a picture that is no square swaps its sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// As it is.
    Upright,
    /// Left and right are swapped.
    Mirrored,
    /// Top and bottom are swapped.
    UpsideDownMirrored,
    /// Turned by 180 degrees.
    Half,
    /// Mirrored on the diagonal from the top left: rows become columns.
    Transposed,
    /// Turned by 90 degrees clockwise.
    Clockwise,
    /// Turned by 90 degrees counterclockwise.
    Counterclockwise,
    /// Mirrored on the diagonal from the top right.
    Transverse,
}

impl Turn {
    /// All of them.
    pub const ALL: [Turn; 8] = [
        Turn::Upright,
        Turn::Mirrored,
        Turn::UpsideDownMirrored,
        Turn::Half,
        Turn::Transposed,
        Turn::Clockwise,
        Turn::Counterclockwise,
        Turn::Transverse,
    ];

    /// In words, as they follow "the other one is".
    pub fn words(self) -> &'static str {
        match self {
            Turn::Upright => "upright",
            Turn::Mirrored => "mirrored left to right",
            Turn::UpsideDownMirrored => "mirrored top to bottom",
            Turn::Half => "turned by 180 degrees",
            Turn::Transposed => "turned by 90 degrees clockwise and mirrored left to right",
            Turn::Clockwise => "turned by 90 degrees clockwise",
            Turn::Counterclockwise => "turned by 90 degrees counterclockwise",
            Turn::Transverse => "turned by 90 degrees counterclockwise and mirrored left to right",
        }
    }

    /// Whether rows become columns. It is done first, then the mirroring.
    pub(super) fn transposes(self) -> bool {
        self as u8 & 4 != 0
    }

    /// Whether columns, and whether rows, are in reverse order.
    pub(super) fn reverses(self) -> (bool, bool) {
        (self as u8 & 1 != 0, self as u8 & 2 != 0)
    }

    /// A square picture after the turn. `square: [side, side]`
    pub fn of_square<T: Copy>(self, square: &[T], side: usize) -> Vec<T> {
        let (reverse_x, reverse_y) = self.reverses();
        let mut turned = Vec::with_capacity(side * side);
        for y in 0..side {
            let y = if reverse_y { side - 1 - y } else { y };
            for x in 0..side {
                let x = if reverse_x { side - 1 - x } else { x };
                turned.push(if self.transposes() { square[x * side + y] } else { square[y * side + x] });
            }
        }
        turned
    }

    /// Columns and rows after the turn.
    pub fn of_size(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.transposes() { (height, width) } else { (width, height) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eight_turns_are_what_they_are_called() {
        let square = [1, 2, 3, 4];
        let expected = [
            [1, 2, 3, 4],
            [2, 1, 4, 3],
            [3, 4, 1, 2],
            [4, 3, 2, 1],
            [1, 3, 2, 4],
            [3, 1, 4, 2],
            [2, 4, 1, 3],
            [4, 2, 3, 1],
        ];
        for (turn, expected) in Turn::ALL.into_iter().zip(expected) {
            assert_eq!(turn.of_square(&square, 2), expected, "{turn:?}");
        }
        assert_eq!((Turn::Half.of_size((3, 2)), Turn::Clockwise.of_size((3, 2))), ((3, 2), (2, 3)));
    }
}

//! Letters of 5 by 7 pixels for captions in pictures: capitals with their accents, digits and what names have besides. Small letters
//! are drawn as capitals, and what the font lacks as its code point.

/// Columns and rows of a letter: three rows for what stands above it, seven of its own, and two for what hangs below.
pub(crate) const LETTER: (usize, usize) = (5, 12);
const ABOVE: usize = 3;

/// A character as rows, of which bit 4 is the leftmost pixel.
pub(crate) type Glyph = [u8; LETTER.1];

/// A text as glyphs. Accents stand over their letters, whether they come with them or behind them, and what the font lacks is its code
/// point, which can be looked up: `<8A9E>`.
pub(crate) fn glyphs(text: &str) -> Vec<Glyph> {
    let mut drawn: Vec<Glyph> = Vec::new();
    for character in text.chars().flat_map(char::to_uppercase) {
        if let (Some((_, mark)), Some(last)) =
            (COMBINING.iter().find(|(c, _)| *c == character), drawn.last_mut())
        {
            add(last, *mark);
            continue;
        }
        match glyph(character) {
            Some(glyph) => drawn.push(glyph),
            // Of no width, such as a joiner.
            None if matches!(character, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{fe0f}') => {}
            None => {
                let code = format!("<{:04X}>", u32::from(character));
                drawn.extend(code.chars().filter_map(glyph));
            }
        }
    }
    drawn
}

/// A capital, a digit or a sign.
fn glyph(character: char) -> Option<Glyph> {
    let character = if character.is_whitespace() || character.is_control() { ' ' } else { character };
    let of_list = |character: char| {
        GLYPHS.iter().find(|(glyph, _)| *glyph == character).map(|(_, rows)| {
            let mut glyph = [0; LETTER.1];
            glyph[ABOVE..ABOVE + 7].copy_from_slice(rows);
            glyph
        })
    };
    if let Some(glyph) = of_list(character) {
        return Some(glyph);
    }
    let (base, mark) = MARKED.iter().find_map(|(letters, plain, mark)| {
        let place = letters.chars().position(|letter| letter == character)?;
        Some((plain.chars().nth(place)?, *mark))
    })?;
    let mut glyph = of_list(base)?;
    add(&mut glyph, mark);
    Some(glyph)
}

/// Draws an accent with a letter.
fn add(glyph: &mut Glyph, mark: Mark) {
    match mark {
        Mark::Above(rows) => {
            glyph[0] |= rows[0];
            glyph[1] |= rows[1];
        }
        Mark::Below(rows) => {
            glyph[LETTER.1 - 2] |= rows[0];
            glyph[LETTER.1 - 1] |= rows[1];
        }
        // Through the middle, as a stroke.
        Mark::Through => {
            for (place, bit) in [(8, 0b10000), (7, 0b01000), (6, 0b00100), (5, 0b00010), (4, 0b00001)] {
                glyph[place] ^= bit;
            }
        }
    }
}

/// What makes a letter another one.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Above([u8; 2]),
    Below([u8; 2]),
    Through,
}

const GRAVE: Mark = Mark::Above([0b01000, 0b00100]);
const ACUTE: Mark = Mark::Above([0b00010, 0b00100]);
const CIRCUMFLEX: Mark = Mark::Above([0b00100, 0b01010]);
const TILDE: Mark = Mark::Above([0b01101, 0b10110]);
const DIAERESIS: Mark = Mark::Above([0b00000, 0b01010]);
const RING: Mark = Mark::Above([0b01110, 0b01010]);
const CARON: Mark = Mark::Above([0b01010, 0b00100]);
const MACRON: Mark = Mark::Above([0b00000, 0b01110]);
const BREVE: Mark = Mark::Above([0b10001, 0b01110]);
const DOT: Mark = Mark::Above([0b00000, 0b00100]);
const DOUBLE_ACUTE: Mark = Mark::Above([0b01001, 0b10010]);
const CEDILLA: Mark = Mark::Below([0b00100, 0b01100]);
const OGONEK: Mark = Mark::Below([0b00010, 0b00011]);

/// Letters, the plain ones they are made of, and what is added.
const MARKED: &[(&str, &str, Mark)] = &[
    ("ÀÈÌÒÙ", "AEIOU", GRAVE),
    ("ÁÉÍÓÚÝĆĹŃŔŚŹ", "AEIOUYCLNRSZ", ACUTE),
    ("ÂÊÎÔÛĈĜĤĴŜŴŶ", "AEIOUCGHJSWY", CIRCUMFLEX),
    ("ÃÑÕĨŨ", "ANOIU", TILDE),
    ("ÄËÏÖÜŸ", "AEIOUY", DIAERESIS),
    ("ÅŮ", "AU", RING),
    ("ČĎĚŇŘŠŤŽ", "CDENRSTZ", CARON),
    ("ĀĒĪŌŪ", "AEIOU", MACRON),
    ("ĂĞŬ", "AGU", BREVE),
    ("ĊĖĠİŻ", "CEGIZ", DOT),
    ("ŐŰ", "OU", DOUBLE_ACUTE),
    ("ÇŞŢĢĶĻŅŖ", "CSTGKLNR", CEDILLA),
    ("ĄĘĮŲ", "AEIU", OGONEK),
    ("ØŁ", "OL", Mark::Through),
];

/// Accents that stand behind their letter.
const COMBINING: &[(char, Mark)] = &[
    ('\u{300}', GRAVE),
    ('\u{301}', ACUTE),
    ('\u{302}', CIRCUMFLEX),
    ('\u{303}', TILDE),
    ('\u{304}', MACRON),
    ('\u{306}', BREVE),
    ('\u{307}', DOT),
    ('\u{308}', DIAERESIS),
    ('\u{30a}', RING),
    ('\u{30b}', DOUBLE_ACUTE),
    ('\u{30c}', CARON),
    ('\u{327}', CEDILLA),
    ('\u{328}', OGONEK),
];

#[rustfmt::skip]
const GLYPHS: &[(char, [u8; 7])] = &[
    ('A', [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
    ('B', [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110]),
    ('C', [0b01111, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b01111]),
    ('D', [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110]),
    ('E', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111]),
    ('F', [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000]),
    ('G', [0b01111, 0b10000, 0b10000, 0b10011, 0b10001, 0b10001, 0b01111]),
    ('H', [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
    ('I', [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('J', [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100]),
    ('K', [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001]),
    ('L', [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111]),
    ('M', [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001]),
    ('N', [0b10001, 0b11001, 0b11001, 0b10101, 0b10011, 0b10011, 0b10001]),
    ('O', [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('P', [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000]),
    ('Q', [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101]),
    ('R', [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001]),
    ('S', [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110]),
    ('T', [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('U', [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
    ('V', [0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b01010, 0b00100]),
    ('W', [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b11011, 0b10001]),
    ('X', [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001]),
    ('Y', [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('Z', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111]),
    ('0', [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
    ('1', [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
    ('2', [0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
    ('3', [0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110]),
    ('4', [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
    ('5', [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
    ('6', [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
    ('7', [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
    ('8', [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
    ('9', [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
    ('-', [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
    ('_', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b11111]),
    ('.', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
    (',', [0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b00100, 0b01000]),
    ('(', [0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00100, 0b00010]),
    (')', [0b01000, 0b00100, 0b00010, 0b00010, 0b00010, 0b00100, 0b01000]),
    ('/', [0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b10000]),
    ('+', [0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000]),
    ('\'', [0b00100, 0b00100, 0b01000, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('&', [0b01100, 0b10010, 0b10100, 0b01000, 0b10101, 0b10010, 0b01101]),
    (':', [0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b01100, 0b00000]),
    ('=', [0b00000, 0b00000, 0b11111, 0b00000, 0b11111, 0b00000, 0b00000]),
    ('#', [0b01010, 0b01010, 0b11111, 0b01010, 0b11111, 0b01010, 0b01010]),
    ('%', [0b11001, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b10011]),
    ('!', [0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00000, 0b00100]),
    ('¡', [0b00100, 0b00000, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('?', [0b01110, 0b10001, 0b00001, 0b00110, 0b00100, 0b00000, 0b00100]),
    ('¿', [0b00100, 0b00000, 0b00100, 0b01100, 0b10000, 0b10001, 0b01110]),
    ('"', [0b01010, 0b01010, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000]),
    (';', [0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b00100, 0b01000]),
    ('<', [0b00010, 0b00100, 0b01000, 0b10000, 0b01000, 0b00100, 0b00010]),
    ('>', [0b01000, 0b00100, 0b00010, 0b00001, 0b00010, 0b00100, 0b01000]),
    ('[', [0b01110, 0b01000, 0b01000, 0b01000, 0b01000, 0b01000, 0b01110]),
    (']', [0b01110, 0b00010, 0b00010, 0b00010, 0b00010, 0b00010, 0b01110]),
    ('{', [0b00110, 0b00100, 0b00100, 0b01000, 0b00100, 0b00100, 0b00110]),
    ('}', [0b01100, 0b00100, 0b00100, 0b00010, 0b00100, 0b00100, 0b01100]),
    ('*', [0b00000, 0b10101, 0b01110, 0b11111, 0b01110, 0b10101, 0b00000]),
    ('|', [0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
    ('\\', [0b10000, 0b10000, 0b01000, 0b00100, 0b00010, 0b00001, 0b00001]),
    ('@', [0b01110, 0b10001, 0b10111, 0b10101, 0b10111, 0b10000, 0b01110]),
    ('$', [0b00100, 0b01111, 0b10100, 0b01110, 0b00101, 0b11110, 0b00100]),
    ('~', [0b00000, 0b00000, 0b01000, 0b10101, 0b00010, 0b00000, 0b00000]),
    ('^', [0b00100, 0b01010, 0b10001, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('`', [0b01000, 0b00100, 0b00010, 0b00000, 0b00000, 0b00000, 0b00000]),
    ('°', [0b01100, 0b10010, 0b10010, 0b01100, 0b00000, 0b00000, 0b00000]),
    ('º', [0b01110, 0b01010, 0b01110, 0b00000, 0b01110, 0b00000, 0b00000]),
    ('ª', [0b01100, 0b00110, 0b01110, 0b00000, 0b01110, 0b00000, 0b00000]),
    ('·', [0b00000, 0b00000, 0b00000, 0b00100, 0b00000, 0b00000, 0b00000]),
    ('–', [0b00000, 0b00000, 0b00000, 0b01110, 0b00000, 0b00000, 0b00000]),
    ('Æ', [0b01111, 0b10100, 0b10100, 0b11111, 0b10100, 0b10100, 0b10111]),
    ('Œ', [0b01111, 0b10100, 0b10100, 0b10111, 0b10100, 0b10100, 0b01111]),
    ('Ð', [0b11110, 0b01001, 0b01001, 0b11101, 0b01001, 0b01001, 0b11110]),
    ('Þ', [0b10000, 0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000]),
    ('µ', [0b00000, 0b10001, 0b10001, 0b10001, 0b11011, 0b10101, 0b10000]),
    (' ', [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_differ_and_small_ones_are_capitals() {
        for (i, (a, rows_a)) in GLYPHS.iter().enumerate() {
            for (b, rows_b) in &GLYPHS[..i] {
                assert!(a != b && rows_a != rows_b, "{a} and {b}");
            }
        }
        assert_eq!(glyphs("a"), glyphs("A"));
    }

    #[test]
    fn accents_are_seen_and_what_is_lacking_is_named() {
        // No letter of Latin-1 or of Spanish is another one, or a box.
        let letters = "ABCDEFGHIJKLMNÑOPQRSTUVWXYZÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÒÓÔÕÖØÙÚÛÜÝÞŸ¿¡ºªŁĄČŞ";
        let drawn: Vec<Vec<Glyph>> = letters.chars().map(|c| glyphs(&c.to_string())).collect();
        for (i, one) in drawn.iter().enumerate() {
            assert_eq!(one.len(), 1, "{:?}", letters.chars().nth(i));
            assert!(!drawn[..i].contains(one), "{:?}", letters.chars().nth(i));
        }
        assert_eq!(glyphs("ñandú"), glyphs("n\u{303}andu\u{301}"), "composed or not");
        assert_eq!(glyphs("ß"), glyphs("SS"));
        assert_eq!(glyphs("a\nb"), glyphs("A B"));
        assert_eq!(glyphs("語"), glyphs("<8A9E>"));
        assert!(glyphs("\u{200b}").is_empty());
    }
}

//! Text as programs on Windows in the west of Europe and in America save it, which is not UTF-8: Windows-1252.

/// The characters of the bytes 0x80 to 0x9F, zero where there is none. Source: the WHATWG Encoding Standard, index windows-1252.
const HIGH: [u16; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
    0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
    0x0153, 0, 0x017E, 0x0178,
];

/// The text of bytes that are Windows-1252; none where they are UTF-8, or something else that is neither: an encoding cannot be read off the
/// bytes for sure, and another one would give wrong names without a word. So each byte above 0x7F must be a letter or a sign that texts of these languages
/// have, and never three of them side by side, as in Cyrillic, Greek, Chinese and Japanese encodings.
pub(super) fn decoded(bytes: &[u8]) -> Option<String> {
    const LONGEST_RUN: usize = 2;
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    // UTF-8 but for a byte somewhere: told with its line.
    if bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
        return None;
    }
    let mut run = 0;
    let one = |&byte: &u8| {
        run = if byte < 0x80 { 0 } else { run + 1 };
        let c = match byte {
            0x80..=0x9F => char::from_u32(HIGH[usize::from(byte - 0x80)].into()).filter(|&c| c != '\0')?,
            _ => char::from(byte),
        };
        let is_sign = "\u{a0}¡ª«°±²³´·º»¿§µ–—‘’‚“”„…€•™‰".contains(c);
        let is_text = c.is_ascii() || c.is_alphabetic() || is_sign;
        (is_text && run <= LONGEST_RUN).then_some(c)
    };
    bytes.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn western_text_is_read_and_nothing_else() {
        assert_eq!(
            decoded(b"path,label\nM\xfcller.png,gr\xf6\xdfer \x80\n").unwrap(),
            "path,label\nMüller.png,größer €\n"
        );
        assert_eq!(decoded(b"n\xe6vus, \x93l\xe9sion\x94, ni\xf1o").unwrap(), "nævus, “lésion”, niño");
        let other: [&[u8]; 7] = [
            b"plain",
            "Müller".as_bytes(),
            // UTF-8 with a wrong byte, Russian in Windows-1251, Polish in Windows-1250, Chinese in GBK, nothing at all.
            b"M\xc3\xbcller, M\xfcller",
            b"\xea\xee\xf8\xea\xe0",
            b"w\xb9tek",
            b"\xb2\xe2\xca\xd4",
            b"a\x81b",
        ];
        for bytes in other {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }
}

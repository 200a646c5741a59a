//! Text as programs on Windows in the west of Europe and in America save it, which is not UTF-8: Windows-1252.

/// The characters of the bytes 0x80 to 0x9F, zero where there is none. Source: the WHATWG Encoding Standard, index windows-1252.
const HIGH: [u16; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,
    0x017D, 0, 0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
    0x0153, 0, 0x017E, 0x0178,
];

/// The text of bytes that are Windows-1252; none where they are UTF-8, or something else that is neither: an encoding cannot be read off the
/// bytes for sure, and another one would give wrong names without a word. So each byte above 0x7F must be a letter of the larger languages of western
/// Europe, or a sign that their texts have; never three of them side by side, and two beside a plain letter alone, unlike in Cyrillic, Greek, Chinese and
/// Japanese encodings. Czech and Polish words without their most common letters still pass: whoever reads a table so shows a word of it.
pub(super) fn decoded(bytes: &[u8]) -> Option<String> {
    const LONGEST_RUN: usize = 2;
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    // UTF-8 but for a byte somewhere: told with its line.
    if bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) {
        return None;
    }
    // Its own signs and the letters that stand where ł, ą, ż of Polish, ı, ğ, ş of Turkish and others stand in their encodings are none.
    let one = |byte: u8| {
        let c = match byte {
            0x80..=0x9F => char::from_u32(HIGH[usize::from(byte - 0x80)].into()).filter(|&c| c != '\0')?,
            _ => char::from(byte),
        };
        let is_sign = "\u{a0}¡ª«°º»–—‘’‚“”„…€•™".contains(c);
        let is_letter = c.is_alphabetic() && !"ªºµðÐýÝþÞ".contains(c);
        (c.is_ascii() || is_letter || is_sign).then_some(c)
    };
    let is_high = |byte: &u8| *byte >= 0x80;
    for run in bytes.chunk_by(|a, b| is_high(a) == is_high(b)).scan(0, |at, run| {
        let start = *at;
        *at += run.len();
        Some((start, run))
    }) {
        let (start, run) = run;
        if !run.first().is_some_and(is_high) || run.len() == 1 {
            continue;
        }
        let beside = [start.checked_sub(1).map(|at| bytes[at]), bytes.get(start + run.len()).copied()];
        let in_a_word = beside.into_iter().flatten().any(|byte| byte.is_ascii_alphabetic());
        if run.len() > LONGEST_RUN || !in_a_word {
            return None;
        }
    }
    bytes.iter().map(|&byte| one(byte)).collect()
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
        assert_eq!(
            decoded(b"n\xe6vus, \x93l\xe9sion\x94, ni\xf1o, cr\xe9\xe9e").unwrap(),
            "nævus, “lésion”, niño, créée"
        );
        let other: [&[u8]; 14] = [
            b"plain",
            "Müller".as_bytes(),
            // UTF-8 with a wrong byte, Russian in Windows-1251, Polish in Windows-1250, Chinese in GBK, nothing at all.
            b"M\xc3\xbcller, M\xfcller",
            b"\xea\xee\xf8\xea\xe0",
            b"w\xb9tek",
            b"z\xb3y",
            b"\xbfaba",
            // Czech, Turkish, a short word of Russian, Chinese in GBK, Japanese in Shift-JIS.
            b"\xe8erven\xfd",
            b"k\xfdrm\xfdz\xfd",
            b"\xe4\xe0",
            b"\xd5\xfd",
            b"\x89\xd4",
            b"\xb2\xe2\xca\xd4",
            b"a\x81b",
        ];
        for bytes in other {
            assert_eq!(decoded(bytes), None, "{bytes:?}");
        }
    }
}

//! The records of an event file (TFRecord): the length as u64, its masked CRC-32C, the data, their masked CRC-32C, all
//! little-endian.

/// A record with these data.
pub(super) fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(data);
    record.extend_from_slice(&masked_crc(data).to_le_bytes());
    record
}

/// CRC-32C, rotated and moved, so that a checksum of data that hold checksums stays a good one (TensorFlow's
/// `crc32c::Mask`).
pub(super) fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_that_of_tensorflow() {
        // tensorboard.summary.writer.record_writer.RecordWriter(file).write(b"pupila")
        let expected =
            [6, 0, 0, 0, 0, 0, 0, 0, 115, 105, 213, 55, 112, 117, 112, 105, 108, 97, 25, 253, 3, 76];
        assert_eq!(record(b"pupila"), expected);
        // The check value of CRC-32C is that of "123456789".
        assert_eq!(masked_crc(b"123456789"), 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }
}

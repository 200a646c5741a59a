//! A tensor of a file as it lies there, and its elements in row-major order.

use crate::dtype::Dtype;
use crate::error::Fault;
use pupila_network::Tensor;

/// A view of a storage, as PyTorch has it: element (i, j, ...) is at `offset + i * strides[0] + j * strides[1] + ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) dtype: Dtype,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// No network of images has a tensor of more dimensions.
const MAX_DIMENSIONS: usize = 8;

impl View {
    /// Number of elements.
    pub(crate) fn len(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |len, &side| len.checked_mul(side))
    }

    /// That it lies within a storage's bytes, and shows no element twice.
    pub(crate) fn check(&self, name: &str, storage: &[u8]) -> Result<usize, Fault> {
        let wrong = |problem: String| Fault::tensor(name, problem);
        if self.shape.len() != self.strides.len() {
            return Err(wrong(format!(
                "has {} sides and {} strides, which do not belong together",
                self.shape.len(),
                self.strides.len()
            )));
        }
        if self.shape.len() > MAX_DIMENSIONS {
            return Err(wrong(format!(
                "has {} dimensions, at most {MAX_DIMENSIONS} are read",
                self.shape.len()
            )));
        }
        let held = storage.len() / self.dtype.bytes();
        let too_large =
            || wrong(format!("has shape {:?}, but its storage holds {held} elements", self.shape));
        let len = self.len().ok_or_else(too_large)?;
        if len == 0 {
            return Ok(0);
        }
        // A view that shows an element more than once is no weight; so no tensor is larger than what is there.
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (&side, &stride)| {
            last.checked_add((side - 1).checked_mul(stride)?)
        });
        if last.is_none_or(|last| last >= held) || len > held {
            return Err(too_large());
        }
        Ok(len)
    }

    /// The elements, out of a storage's bytes.
    pub(crate) fn read(&self, name: &str, storage: &[u8]) -> Result<Tensor, Fault> {
        let len = self.check(name, storage)?;
        let width = self.dtype.bytes();
        let mut data = Vec::with_capacity(len);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..len {
            let value = self.dtype.value(storage, at * width);
            data.push(value.ok_or_else(|| {
                Fault::tensor(name, format!("is {}, expected floating-point numbers", self.dtype))
            })?);
            // The next element in row-major order.
            for side in (0..index.len()).rev() {
                index[side] += 1;
                at += self.strides[side];
                if index[side] < self.shape[side] {
                    break;
                }
                at -= index[side] * self.strides[side];
                index[side] = 0;
            }
        }
        Ok(Tensor { shape: self.shape.clone(), data })
    }
}

/// The strides of a tensor in row-major order.
pub(crate) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for side in (1..shape.len()).rev() {
        strides[side - 1] = strides[side].saturating_mul(shape[side]);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: usize, shape: &[usize], strides: &[usize]) -> View {
        View { dtype: Dtype::F32, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn strided_views_are_read_in_row_major_order() {
        let storage: Vec<u8> = (0..12).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let read = |view: View| view.read("w", &storage).map(|tensor| tensor.data);
        assert_eq!(row_major(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(read(view(0, &[3, 4], &[4, 1])).unwrap(), (0..12).map(|i| i as f32).collect::<Vec<_>>());
        // The transpose, and every other column of it.
        assert_eq!(read(view(0, &[4, 3], &[1, 4])).unwrap()[..4], [0.0, 4.0, 8.0, 1.0]);
        assert_eq!(read(view(1, &[2, 2], &[2, 8])).unwrap(), [1.0, 9.0, 3.0, 11.0]);
        assert_eq!(read(view(5, &[], &[])).unwrap(), [5.0]);
        assert_eq!(read(view(0, &[0, 4], &[4, 1])).unwrap(), [0.0; 0]);
        for wrong in [
            view(0, &[3, 5], &[5, 1]),
            view(1, &[3, 4], &[4, 1]),
            view(12, &[1], &[1]),
            view(usize::MAX, &[2], &[1]),
            view(0, &[usize::MAX, 2], &[1, 1]),
            view(0, &[2, usize::MAX], &[usize::MAX, usize::MAX]),
            view(0, &[1000], &[0]),
            view(0, &[2], &[]),
            view(0, &[1; 9], &[1; 9]),
        ] {
            assert!(read(wrong.clone()).unwrap_err().to_string().starts_with("tensor `w` has"), "{wrong:?}");
        }
    }
}

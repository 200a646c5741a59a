//! Files of other programs that hold images in one piece: what they are, and the line of Python that makes of them what is read here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Split;
use crate::files;

/// What to type for such files.
pub(crate) struct Conversion {
    /// What they are.
    pub(crate) what: String,
    /// The line, with what it writes.
    pub(crate) line: String,
    pub(crate) out: PathBuf,
}

/// For the file at `path`, or what lies in the folder there, or in one below it; `None` where nothing there is known.
pub(crate) fn conversion_of(path: &Path) -> Option<Conversion> {
    if files::is_file(path) {
        return of_file(path);
    }
    conversion_of_folder(path)
}

/// For what lies in the folder or the archive at `path`, or in a folder in it.
pub(crate) fn conversion_of_folder(path: &Path) -> Option<Conversion> {
    let entries: Vec<files::Entry> = files::entries(path).ok()?.flatten().collect();
    of_folder(path).or_else(|| {
        let mut folders: Vec<PathBuf> =
            entries.into_iter().filter(|entry| entry.is_folder).map(|entry| entry.path).collect();
        folders.sort_unstable();
        folders.iter().find_map(|folder| of_folder(folder))
    })
}

fn of_folder(folder: &Path) -> Option<Conversion> {
    let is_there = |name: &str| files::is_file(&folder.join(name));
    if is_there("data_batch_1") && is_there("test_batch") {
        return Some(cifar(
            folder,
            "CIFAR-10",
            "[f'data_batch_{i}' for i in range(1, 6) if (p / f'data_batch_{i}').exists()]",
            "test_batch",
            "labels",
        ));
    }
    if ["train", "test", "meta"].into_iter().all(is_there) {
        return Some(cifar(folder, "CIFAR-100", "['train']", "test", "fine_labels"));
    }
    if is_there("imagelabels.mat") && is_there("setid.mat") {
        return Some(flowers(folder));
    }
    if is_there("train_X.bin") && is_there("train_y.bin") {
        return Some(stl(folder));
    }
    if is_there("cars_annos.mat") {
        return Some(cars(folder, "cars_annos.mat", "car_ims"));
    }
    if is_there("devkit/cars_train_annos.mat") {
        return Some(cars(folder, "devkit/cars_train_annos.mat", "cars_train"));
    }
    let mut paths: Vec<PathBuf> = files::entries(folder)
        .ok()?
        .flatten()
        .filter(|entry| !entry.is_folder)
        .map(|entry| entry.path)
        .collect();
    paths.sort_unstable();
    of_splits(folder, &paths).or_else(|| paths.iter().find_map(|path| of_file(path)))
}

fn python(program: &str) -> String {
    format!("python3 -c \"{program}\"")
}

/// A path as a string of Python that stands between double quotes of a shell.
pub(crate) fn literal(path: &Path) -> String {
    let escape = |c: char| match c {
        '\'' | '"' | '\\' | '$' | '`' => format!("\\\\x{:02x}", u32::from(c)),
        c => crate::shown(&c.to_string()),
    };
    format!("'{}'", path.to_string_lossy().chars().map(escape).collect::<String>())
}

fn cifar(folder: &Path, what: &str, train: &str, test: &str, labels: &str) -> Conversion {
    let out = folder.with_extension("npz");
    let program = format!(
        "import pickle, numpy, pathlib; p = pathlib.Path({}); r = lambda f: pickle.loads((p / f).read_bytes(), encoding='bytes'); x = lambda d: \
         numpy.reshape(numpy.frombuffer(d[b'data'], 'uint8') if isinstance(d[b'data'], bytes) else d[b'data'], (-1, 3, 32, 32)); b = [r(f) for f in {train}]; \
         t = r('{test}'); numpy.savez({}, x_train=numpy.concatenate([x(d) for d in b]), y_train=sum([list(d[b'{labels}']) for d in b], []), x_test=x(t), \
         y_test=t[b'{labels}'])",
        literal(folder),
        literal(&out)
    );
    Conversion { what: format!("the files of {what} for Python"), line: python(&program), out }
}

/// Oxford's Flowers-102: the classes and the splits are those of files in the order of their numbers.
fn flowers(folder: &Path) -> Conversion {
    let out = folder.join("labels.csv");
    let program = format!(
        "import scipy.io, pathlib; p = pathlib.Path({}); c = scipy.io.loadmat(p / 'imagelabels.mat')['labels'].ravel(); s = scipy.io.loadmat(p / \
         'setid.mat'); w = {{i: n for n, k in (('train', 'trnid'), ('val', 'valid'), ('test', 'tstid')) for i in s[k].ravel()}}; (p / \
         'labels.csv').write_text('image,label,split\\n' + ''.join(f'image_{{i:05}}.jpg,{{l}},{{w[i]}}\\n' for i, l in enumerate(c, 1) if i in w))",
        literal(folder)
    );
    Conversion { what: "the classes in files of MATLAB".to_owned(), line: python(&program), out }
}

/// STL-10: color by color, each from the left column to the right.
fn stl(folder: &Path) -> Conversion {
    let out = folder.with_extension("npz");
    let program = format!(
        "import numpy, pathlib; p = pathlib.Path({}); r = lambda f: numpy.fromfile(p / f, 'uint8'); n = (p / 'class_names.txt').read_text().split(); x = \
         lambda s: r(s + '_X.bin').reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1); y = lambda s: [n[i - 1] for i in r(s + '_y.bin')]; numpy.savez({}, **{{k + s: \
         f(s) for s in ('train', 'test') if (p / (s + '_X.bin')).exists() for k, f in (('x_', x), ('y_', y))}})",
        literal(folder),
        literal(&out)
    );
    Conversion { what: "the binary files of STL-10".to_owned(), line: python(&program), out }
}

/// Stanford's cars: which picture is of which class, and with all pictures in one folder also of which split.
fn cars(folder: &Path, annotations: &str, images: &str) -> Conversion {
    let out = folder.join("labels.csv");
    let program = format!(
        "import scipy.io, pathlib; p = pathlib.Path({}); a = scipy.io.loadmat(p / '{annotations}', squeeze_me=True)['annotations']; h = 'test' in \
         a.dtype.names; f = 'relative_im_path' if h else 'fname'; (p / 'labels.csv').write_text('path,label' + ',split' * h + '\\n' + ''.join('{images}/' + \
         str(r[f]).split('/')[-1] + ',' + str(r['class']) + (',test' if h and r['test'] else ',train') * h + '\\n' for r in a))",
        literal(folder)
    );
    Conversion { what: "the classes in files of MATLAB".to_owned(), line: python(&program), out }
}

/// A form whose files become arrays of NumPy.
struct Arrays {
    what: &'static str,
    imports: &'static str,
    /// A dictionary of the arrays of the file `f`.
    read: &'static str,
}

const ARRAYS: [(&[&str], Arrays); 3] = [
    (
        &["mat"],
        Arrays {
            what: "a file of MATLAB",
            imports: "scipy.io, numpy",
            // Images one behind the other along the last side, as of SVHN.
            read: "{k: numpy.moveaxis(v, -1, 0) if v.ndim == 4 and v.shape[2] == 3 else v for k, v in scipy.io.loadmat(f).items() if \
                   getattr(v, 'dtype', None) is not None and v.dtype.kind in 'biufU'}",
        },
    ),
    (
        &["h5", "hdf5"],
        Arrays {
            what: "a file of HDF5",
            imports: "h5py, numpy",
            read: "{k: v.asstr()[:] if v.dtype.kind == 'O' else v[:] for k, v in h5py.File(f).items() if getattr(v, 'shape', ())}",
        },
    ),
    (
        &["pkl", "pickle"],
        Arrays {
            what: "a pickle, which is a program: run it only where you trust it",
            imports: "pickle, numpy",
            read: "(lambda d: d if isinstance(d, dict) else dict(zip(['images', 'labels'], d)))(pickle.load(open(f, 'rb')))",
        },
    ),
];

fn arrays_of(path: &Path) -> Option<&'static Arrays> {
    let extension = path.extension()?.to_string_lossy().to_lowercase();
    ARRAYS.iter().find(|(extensions, _)| extensions.contains(&extension.as_str())).map(|(_, arrays)| arrays)
}

/// Several files of one form that are called after splits, one of them after the training set, as `train_32x32.mat` and `test_32x32.mat`: one line
/// for all of them, since what is made of one by itself has one split.
fn of_splits(folder: &Path, paths: &[PathBuf]) -> Option<Conversion> {
    let first = paths.iter().find_map(|path| arrays_of(path))?;
    let alike: Vec<&PathBuf> =
        paths.iter().filter(|path| arrays_of(path).is_some_and(|of| of.what == first.what)).collect();
    let stems: Vec<&str> = alike.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let splits = crate::scan::splits_of_files(&stems);
    let named: Vec<(Split, &PathBuf)> =
        splits.into_iter().zip(alike).filter_map(|(split, path)| Some((split?, path))).collect();
    let different: BTreeSet<Split> = named.iter().map(|(split, _)| *split).collect();
    if named.len() < 2 || different.len() < named.len() || !different.contains(&Split::Train) {
        return None;
    }
    let out = folder.with_extension("npz");
    let files: Vec<String> =
        named.iter().map(|(split, path)| format!("('{split}', {})", literal(path))).collect();
    let Arrays { what, imports, read } = first;
    let program = format!(
        "import {imports}; r = lambda f: {read}; numpy.savez({}, **{{s + '_' + k: v for s, f in [{}] for k, v in r(f).items()}})",
        literal(&out),
        files.join(", ")
    );
    let names: Vec<String> = stems.iter().map(|stem| crate::shown(stem)).collect();
    Some(Conversion { what: format!("{}, {what} each", names.join(", ")), line: python(&program), out })
}

fn of_file(path: &Path) -> Option<Conversion> {
    let file = literal(path);
    let (what, program, out) = match arrays_of(path) {
        Some(Arrays { what, imports, read }) => {
            let out = path.with_extension("npz");
            let npz = literal(&out);
            (*what, format!("import {imports}; r = lambda f: {read}; numpy.savez({npz}, **r({file}))"), out)
        }
        None if path.extension()?.eq_ignore_ascii_case("parquet") => {
            let out = path.with_extension("");
            let program = format!(
                "import pandas, pathlib; d = pandas.read_parquet({file}); o = pathlib.Path({}); [(p.parent.mkdir(parents=True, exist_ok=True), \
                 p.write_bytes(r['image']['bytes'])) for i, r in enumerate(d.to_dict('records')) for p in [o / str(r['label']) / f'{{i}}.png']]",
                literal(&out)
            );
            ("a table of Parquet", program, out)
        }
        None => return None,
    };
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some(Conversion { what: format!("{}, {what}", crate::shown(&name)), line: python(&program), out })
}

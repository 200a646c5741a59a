//! What a person reads of the training data: its classes before and after sampling, and what is unwise about it.

use super::tell::SHOWN;
use super::tell_runs::shortened;
use crate::output::{Output, percent};
use pupila::dataset::{Dataset, PixelStatistics, Split, shown, shown_path};
use pupila::recipe::Augment;
use pupila::train::{DataWait, Images, LeakPolicy, MOST_COMPARED};
use pupila::{EpochRecord, Prepared, Recipe, Session, SmallerInput, TooFew, Views, count, images};
use pupila_loader::Order;
use std::collections::BTreeSet;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// A column of the table of classes: its head, a cell for each class, the total.
struct Column {
    head: &'static str,
    cells: Vec<String>,
    total: String,
}

impl Column {
    fn of(head: &'static str, counts: &[usize]) -> Column {
        let cells = counts.iter().map(|&n| count(n)).collect();
        Column { head, cells, total: count(counts.iter().sum()) }
    }

    fn width(&self) -> usize {
        (self.head.len() + 2).max(8)
    }

    /// How many images of each class an epoch shows.
    fn of_epoch(counts: &[usize], order: &Order) -> Column {
        let expected = order.expected(counts);
        let about = if order.replaces() { "~" } else { "" };
        let cell = |n: f64| format!("{about}{}", count(n.round() as usize));
        let total = count(expected.iter().sum::<f64>().round() as usize);
        Column { head: "an epoch", cells: expected.into_iter().map(cell).collect(), total }
    }
}

/// What the scan found: classes, counts before and after they are sampled, sizes.
pub(crate) fn dataset(output: Output, dataset: &Dataset, path: &Path, recipe: &Recipe) {
    output.heading(format_args!("Data: {} ({})", shown_path(path), dataset.form));
    output.say(format_args!("  taken as {}", dataset.taken));
    class_table(output, dataset, Some(recipe));
    output.say(format_args!("  {}", sizes(dataset)));
    groups_of(dataset).iter().for_each(|line| output.say(line));
    advice(output, dataset, recipe);
    match (recipe.data.folds, dataset.val_from_train) {
        (Some(folds), _) => output.say(format_args!(
            "  the validation set is fold {} of {folds}, cut by class and seed, copies{} kept together",
            recipe.data.fold.unwrap_or(1),
            and_groups(dataset)
        )),
        (None, true) => output.say(format_args!(
            "  the data brings no validation set: one was split off by class and seed, copies{} kept together",
            and_groups(dataset)
        )),
        (None, false) => {}
    }
}

/// A row for each class with its images in each split; with a recipe also what an epoch shows of them.
pub(super) fn class_table(output: Output, dataset: &Dataset, recipe: Option<&Recipe>) {
    let mut columns = Vec::new();
    if dataset.held_back > 0 {
        columns.push(Column::of("found", &dataset.found));
    }
    for split in Split::ALL.into_iter().filter(|&split| !dataset.indices(split).is_empty()) {
        let counts = dataset.class_counts(split);
        columns.push(Column::of(split.name(), &counts));
        let order = recipe.map(|recipe| recipe.data.sampler.order(&dataset.classes));
        if let Some(order) = order.filter(|order| split == Split::Train && *order != Order::Shuffled) {
            columns.push(Column::of_epoch(&counts, &order));
        }
    }
    let taken: usize = columns.iter().map(Column::width).sum::<usize>() + 2;
    let names = shown_names(&dataset.classes, output.width().saturating_sub(taken));
    let width = names.iter().map(|class| class.width()).max().unwrap_or(0).max("class".len());
    let row = |name: &str, cell: &dyn Fn(&Column) -> String| {
        let cells: String =
            columns.iter().map(|column| format!("{:>1$}", cell(column), column.width())).collect();
        let pad = " ".repeat(width.saturating_sub(name.width()));
        output.say(format_args!("  {name}{pad}{cells}"));
    };
    row("class", &|column| column.head.to_owned());
    // Of many classes the largest and the smallest, which are what one has to know.
    let mut order: Vec<usize> = (0..names.len()).collect();
    let shown = if names.len() > 2 * SHOWN { SHOWN } else { names.len() };
    if shown < names.len() {
        let counts = dataset.class_counts(Split::Train);
        order.sort_by_key(|&class| (std::cmp::Reverse(counts[class]), class));
        order.drain(shown / 2..names.len() - shown / 2);
    }
    for &class in &order {
        row(&names[class], &|column| column.cells[class].clone());
    }
    if shown < dataset.classes.len() {
        let counts = dataset.class_counts(Split::Train);
        let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
        output.say(format_args!(
            "  ... {} classes in all, of which these are the largest and the smallest, with {} to train on",
            count(dataset.classes.len()),
            if least == most {
                format!("{} each", images(*most))
            } else {
                format!("{} to {}", count(*least), images(*most))
            },
        ));
    }
    row("total", &|column| column.total.clone());
}

/// Names as the rows of a table have them: shortened to a width, in which nothing moves the cursor.
pub(super) fn shown_names(classes: &[String], width: usize) -> Vec<String> {
    /// A name is not cut below this.
    const LEAST: usize = 12;
    classes.iter().map(|class| shortened(&shown(class), width.max(LEAST))).collect()
}

fn and_groups(dataset: &Dataset) -> &'static str {
    if dataset.samples.iter().any(|sample| sample.group.is_some()) { " and groups" } else { "" }
}

/// How many groups there are in each split, and how they are counted.
fn groups_of(dataset: &Dataset) -> Option<String> {
    let mut all: [BTreeSet<&str>; 3] = Default::default();
    let mut alone = 0;
    for sample in &dataset.samples {
        match &sample.group {
            Some(group) => drop(all[sample.split as usize].insert(group)),
            None => alone += 1,
        }
    }
    if all.iter().all(BTreeSet::is_empty) {
        return None;
    }
    let there = Split::ALL.into_iter().filter(|&split| !all[split as usize].is_empty());
    let there: Vec<String> =
        there.map(|split| format!("{} in {split}", count(all[split as usize].len()))).collect();
    let alone = match alone {
        0 => String::new(),
        1 => "; 1 image without one is a group by itself".to_owned(),
        n => format!("; {} images without one are a group each", count(n)),
    };
    Some(format!("  groups: {}, told apart by their text{alone}", there.join(", ")))
}

/// Where the recipe asks for more than the images hold.
fn advice(output: Output, dataset: &Dataset, recipe: &Recipe) {
    let SmallerInput { size, gray } = SmallerInput::of(dataset, recipe);
    let mut better: Vec<String> = size.map(|size| format!("--size {size}")).into_iter().collect();
    if gray {
        better.push("--set input.channels=1".to_owned());
    }
    if !better.is_empty() {
        output
            .say(format_args!("  the images hold no more than {} would use, at less work", better.join(" ")));
    }
}

fn sizes(dataset: &Dataset) -> String {
    let mut sizes: Vec<_> = dataset.samples.iter().map(|s| (s.width, s.height)).collect();
    sizes.sort_unstable_by_key(|&(w, h)| (u64::from(w) * u64::from(h), w));
    let gray = dataset.samples.iter().filter(|s| s.channels == 1).count();
    let color = match (gray, dataset.samples.len()) {
        (0, _) => "all in color".to_owned(),
        (gray, all) if gray == all => "all gray".to_owned(),
        (gray, _) => format!("{} gray among them", count(gray)),
    };
    match (sizes.first(), sizes.get(sizes.len() / 2), sizes.last()) {
        (Some(least), _, Some(most)) if least == most => {
            format!("{} of {}x{} px, {color}", images(sizes.len()), least.0, least.1)
        }
        (Some(least), Some(middle), Some(most)) => format!(
            "{} from {}x{} to {}x{} px, most about {}x{}, {color}",
            images(sizes.len()),
            least.0,
            least.1,
            most.0,
            most.1,
            middle.0,
            middle.1
        ),
        _ => "no images".to_owned(),
    }
}

/// What the images themselves say once they are in memory: too few of a class, no color, how they are normalised.
pub(crate) fn in_memory(output: Output, prepared: &Prepared, recipe: &Recipe) {
    let Prepared { normalization, measured, .. } = prepared;
    if let Some(PixelStatistics { mean, std, from_cache }) = measured {
        let row = |values: &[f64]| values.iter().map(|v| format!("{v:.4}")).collect::<Vec<_>>().join(" ");
        output.say(format_args!(
            "  normalised by the training images: mean {}, deviation {} of white{}",
            row(mean),
            row(std),
            if *from_cache { " (from the cache)" } else { "" }
        ));
    } else if let Some(mode) = normalization.per_image() {
        output.say(format_args!("  each image normalised by itself ({mode})"));
    }
    if prepared.is_gray_stored_in_color(recipe) {
        output.say(
            "  all training images are gray, though stored in color: --set input.channels=1 is a third of the input",
        );
    }
    too_few(output, prepared);
}

/// Validation images that are nearly the same as training images. Exact copies are known from the scan.
pub(crate) fn near_copies(output: Output, all: &Images, leaks: LeakPolicy) {
    let judged = all.positions(Split::Val);
    let Some(copies) = all.near_copies_in_training(&judged) else {
        output.say(match all.len() > MOST_COMPARED {
            true => format!(
                "  nearly equal pictures are looked for among up to {} images here; pupila inspect looks among all",
                count(MOST_COMPARED)
            ),
            false => "  nearly equal pictures are not looked for in inputs of this size or with a part hidden; pupila inspect does".into(),
        });
        return;
    };
    let near: Vec<(String, String)> =
        all.paths(&judged).into_iter().zip(copies).filter_map(|(path, copy)| Some((path, copy?))).collect();
    if near.is_empty() {
        return;
    }
    output.warn(format_args!(
        "{} of {} validation images {} nearly the same as training images (another size or compression, mirrored, turned, cropped): the \
         score is told without them too",
        near.len(),
        judged.len(),
        if near.len() == 1 { "is" } else { "are" },
    ));
    if leaks == LeakPolicy::Drop {
        output.say(format_args!(
            "    data.leaks=drop leaves out exact copies alone; {}",
            leave_out(&all.dataset.root)
        ));
    }
    let below = |path: &str| {
        let path = Path::new(path);
        shown_path(path.strip_prefix(&all.dataset.root).unwrap_or(path))
    };
    for (judged, trained) in near.iter().take(SHOWN) {
        output.say(format_args!("    {} = {}", below(judged), below(trained)));
    }
    if near.len() > SHOWN {
        output.say(format_args!("    and {} more, which leaks.csv will list", count(near.len() - SHOWN)));
    }
}

/// Images to judge that the weights which the run begins from were trained on, in one line; or that this is not known.
pub(crate) fn seen_before(output: Output, session: &Session) {
    session.seen_before_in_words().iter().for_each(|said| output.warn(said));
}

/// Test images that are nearly the same as training images, in one line: they are read for this alone, and judged by `pupila eval`.
pub(crate) fn near_copies_in_test(output: Output, near: &[(String, String)], dataset: &Dataset, data: &Path) {
    if near.is_empty() {
        return;
    }
    output.warn(format_args!(
        "{} of {} test images {} nearly the same as training images: `pupila eval RUN --split test` tells the score without them too; {}",
        near.len(),
        dataset.indices(Split::Test).len(),
        if near.len() == 1 { "is" } else { "are" },
        leave_out(data)
    ));
}

/// What to type for data without near copies.
fn leave_out(data: &Path) -> String {
    format!(
        "pupila inspect {} --exclude-list FILE lists them, and --set data.exclude_list=FILE leaves them out",
        pupila::in_a_shell(&data.to_string_lossy())
    )
}

/// Facts that tell the class, by the cheap part of `pupila inspect`: size and shape, border, brightness, color.
pub(crate) fn shortcuts(output: Output, all: &Images, data: &Path) {
    let found = all.shortcuts();
    let Some(first) = found.first() else { return };
    let more = match &found[1..] {
        [] => String::new(),
        others => format!(" (more: {})", others.iter().map(|of| of.fact).collect::<Vec<_>>().join(", ")),
    };
    let what = match (&first.given_away[..], first.mean_recall) {
        ([class, ..], _) => format!("{} alone gives away {}", first.fact, shown(class)),
        ([], Some((recall, ..))) => {
            format!(
                "{} alone tells the class of {:.0} % where each class counts the same",
                first.fact,
                100.0 * recall
            )
        }
        ([], None) => format!(
            "{} alone tells the class of {:.0} % of the images (always the most frequent: {:.0} %)",
            first.fact,
            100.0 * first.accuracy,
            100.0 * first.majority
        ),
    };
    output.warn(format_args!(
        "{what}{more}: a network may learn that instead of the content; pupila inspect {} says more",
        shown_path(data)
    ));
}

/// Classes of which so few images are left that no number about them means much.
fn too_few(output: Output, prepared: &Prepared) {
    for TooFew { split, floor, classes } in prepared.too_few() {
        let few: Vec<String> = classes.iter().map(|(class, n)| format!("{} ({n})", shown(class))).collect();
        let (set, effect) = match split {
            Split::Train => ("training", "too few to learn much of them"),
            _ => (
                "validation",
                "too few to judge them by: one image more or less moves a recall by 20 points or more",
            ),
        };
        let shown = few.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = few.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more classes") } else { String::new() };
        output.warn(format_args!("fewer than {floor} {set} images of {shown}{more}: {effect}"));
    }
}

/// Groups of a manifest that its own splits part.
pub(super) fn parted_groups(output: Output, dataset: &Dataset) {
    let parted = dataset.cross_split_groups();
    if parted.is_empty() {
        return;
    }
    let what = if parted.len() == 1 {
        "one group is".to_owned()
    } else {
        format!("{} groups are", count(parted.len()))
    };
    output.warn(format_args!(
        "{what} in more than one split: the scores are flattered by what the model knows of them from training"
    ));
    for (name, group) in parted.iter().take(3) {
        let of = |split| group.samples.iter().filter(|&&i| dataset.samples[i].split == split).count();
        let there = Split::ALL.into_iter().map(|split| (split, of(split))).filter(|(_, n)| *n > 0);
        let there: Vec<String> = there.map(|(split, n)| format!("{n} in {split}")).collect();
        output.say(format_args!("    {name}: {}", there.join(", ")));
    }
    if parted.len() > 3 {
        output.say(format_args!("    ... and {} more", parted.len() - 3));
    }
}

/// How images are mixed, to follow the names of the transforms.
pub(super) fn mixing(augment: &Augment) -> String {
    let name = |name: &str, alpha: Option<f64>| alpha.map(|alpha| format!("{name} {alpha}"));
    let names: Vec<String> =
        [name("mixup", augment.mixup), name("cutmix", augment.cutmix)].into_iter().flatten().collect();
    match (names.is_empty(), augment.mix_p) {
        (true, _) => String::new(),
        (false, 1.0) => format!(", {}", names.join(" or ")),
        (false, p) => format!(", {} at p {p}", names.join(" or ")),
    }
}

/// How long the training took, and how much of that it waited for its images.
pub(super) fn waiting(output: Output, epochs: &[EpochRecord], recipe: &Recipe) {
    let Some(wait) = DataWait::of(epochs) else { return };
    let seconds: f64 = epochs.iter().map(|record| record.train_time.as_secs_f64()).sum();
    let later = if epochs.len() > 1 { " after the first epoch" } else { "" };
    output.say(format_args!(
        "  time               {seconds:.1} s of training, {} of it waiting for images{later}",
        percent(wait.frac)
    ));
    if wait.is_noticeable() {
        let transforms = &recipe.augment.transforms;
        let names: Vec<_> = transforms.iter().map(|transform| transform.name.as_str()).collect();
        output.warn(if names.is_empty() {
            "the network is faster than its images can be prepared; a larger one would cost little more: --model cnn".to_owned()
        } else {
            format!(
                "training waits for its images, which are varied by {}; see what fewer transforms change: \
                 --set 'augment.transforms=[{{ horizontal_flip = {{}} }}]'",
                names.join(", ")
            )
        });
    }
}

/// That images were judged in several views.
pub(super) fn views(output: Output, views: Views) {
    if let Some(name) = views.name() {
        output.say(format_args!(
            "  probabilities are the mean over {} views of each image ({name})",
            views.count()
        ));
    }
}

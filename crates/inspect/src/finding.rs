//! [`Finding`]: something about the data that a person should know before a number is believed.

use serde::Serialize;

/// How much harm it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It may mislead.
    Warning,
    /// A score on this data is wrong, or images are lost.
    Error,
}

impl Severity {
    /// Every level, the lowest first.
    pub const ALL: [Severity; 3] = [Severity::Note, Severity::Warning, Severity::Error];

    /// `note`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// What kind of thing was found, in the order of the harm that it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The same picture in two splits.
    ExactDuplicateAcrossSplits,
    /// Nearly the same picture in two splits.
    NearDuplicateAcrossSplits,
    /// The same person, place or burst in two splits.
    GroupAcrossSplits,
    /// One picture under two labels.
    LabelConflict,
    /// Something that is not the content predicts the class.
    Shortcut,
    /// A label that models which never saw the image doubt.
    LabelError,
    /// A file that is no whole image.
    Unreadable,
    /// A class that a split lacks.
    ClassMissing,
    /// A class of too few images.
    ClassTiny,
    /// Classes of very different sizes.
    Imbalance,
    /// Shares of classes that differ between splits.
    ProportionsDiffer,
    /// The same picture twice within a split.
    ExactDuplicate,
    /// Nearly the same picture twice within a split.
    NearDuplicate,
    /// A picture that is like no other.
    Outlier,
    /// A picture of one color.
    OneColor,
    /// A picture that is hardly more than black.
    Dark,
    /// A picture that is hardly less than white.
    Bright,
    /// A picture without fine detail, compared with the others.
    Blurry,
    /// A picture much smaller than the others.
    Tiny,
    /// A picture much larger than the others.
    Huge,
    /// A picture of another shape than the others.
    OddAspect,
    /// Gray pictures among ones in color, or the other way round.
    OddColor,
    /// A file whose name says another format than its content.
    MislabelledFormat,
    /// A photograph that says where it was taken.
    Location,
}

impl Kind {
    /// As it is in JSON, such as `label_conflict`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ExactDuplicateAcrossSplits => "exact_duplicate_across_splits",
            Kind::NearDuplicateAcrossSplits => "near_duplicate_across_splits",
            Kind::GroupAcrossSplits => "group_across_splits",
            Kind::LabelConflict => "label_conflict",
            Kind::Shortcut => "shortcut",
            Kind::LabelError => "label_error",
            Kind::Unreadable => "unreadable",
            Kind::ClassMissing => "class_missing",
            Kind::ClassTiny => "class_tiny",
            Kind::Imbalance => "imbalance",
            Kind::ProportionsDiffer => "proportions_differ",
            Kind::ExactDuplicate => "exact_duplicate",
            Kind::NearDuplicate => "near_duplicate",
            Kind::Outlier => "outlier",
            Kind::OneColor => "one_color",
            Kind::Dark => "dark",
            Kind::Bright => "bright",
            Kind::Blurry => "blurry",
            Kind::Tiny => "tiny",
            Kind::Huge => "huge",
            Kind::OddAspect => "odd_aspect",
            Kind::OddColor => "odd_color",
            Kind::MislabelledFormat => "mislabelled_format",
            Kind::Location => "location",
        }
    }
}

/// Something about the data that a person should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// How much harm it can do.
    pub severity: Severity,
    /// What was found, in a sentence without its full stop.
    pub message: String,
    /// What to do about it, with what to type where there is something.
    pub advice: String,
    /// The images, as indices into the samples of the data set: those that belong together in a group each. Empty where it is about
    /// no image.
    pub groups: Vec<Vec<usize>>,
    /// What is said of each group beside its images, such as how alike they are; empty, or one for each group.
    pub notes: Vec<String>,
    /// Files that are no samples, since they cannot be read.
    pub files: Vec<pupila_dataset::Skipped>,
    /// The images that `--exclude-list` would leave out: of copies all but one.
    pub excluded: Vec<usize>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, severity: Severity, message: String, advice: &str) -> Finding {
        let (groups, notes, files, excluded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Finding { kind, severity, message, advice: advice.to_owned(), groups, notes, files, excluded }
    }

    /// Images that stand for themselves.
    pub(crate) fn of_each(self, images: impl IntoIterator<Item = usize>) -> Finding {
        Finding { groups: images.into_iter().map(|image| vec![image]).collect(), ..self }
    }
}

/// The worst first: by what it can do, then by its kind.
pub(crate) fn rank(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.kind));
}

/// `1 image`, `2 images`.
pub(crate) fn images(count: usize) -> String {
    if count == 1 { "1 image".to_owned() } else { format!("{} images", grouped(count)) }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first() {
        let finding = |kind, severity| Finding::new(kind, severity, String::new(), "");
        let mut findings = vec![
            finding(Kind::Location, Severity::Warning),
            finding(Kind::Shortcut, Severity::Warning),
            finding(Kind::Dark, Severity::Note),
            finding(Kind::LabelConflict, Severity::Error),
        ];
        rank(&mut findings);
        let kinds: Vec<Kind> = findings.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, [Kind::LabelConflict, Kind::Shortcut, Kind::Location, Kind::Dark]);
        assert_eq!((images(1), images(1234567)), ("1 image".into(), "1,234,567 images".into()));
    }

    #[test]
    fn names_in_json_are_those_of_the_kinds() {
        // What serde makes of them is what `name` says.
        for kind in [Kind::ExactDuplicateAcrossSplits, Kind::Shortcut, Kind::MislabelledFormat] {
            let text = format!("{kind:?}");
            let snake: String = text
                .char_indices()
                .flat_map(|(at, c)| {
                    let split = (at > 0 && c.is_uppercase()).then_some('_');
                    split.into_iter().chain(c.to_lowercase())
                })
                .collect();
            assert_eq!(snake, kind.name());
        }
    }
}

//! Keys by other names, and what to say of names that no key has.

use super::super::schema;
use super::said::Said;
use super::spanish::SPANISH;
use super::{elsewhere, near, only, plain, transforms};
use toml::Value;

/// Names that several keys have, of which people mean this one where they name no section.
const PREFERRED: [(&str, &str); 1] = [("batchnorm", "model.batch_norm")];

/// The key that was meant, where only one can be: another case, a key without its section, a section for its name.
pub fn key(typed: &str) -> Option<String> {
    let known = schema::keys();
    let wanted = plain(typed);
    if let Some(key) =
        known.iter().find(|key| key.contains('.') == typed.contains('.') && plain(key) == wanted)
    {
        return Some(key.clone());
    }
    if let Some((section, _)) = typed.split_once('.') {
        let of_section = |key: &&str| key.split('.').next().is_some_and(|ours| plain(ours) == plain(section));
        return same_elsewhere(typed).filter(of_section).map(str::to_owned);
    }
    if near::mistakable(&wanted).is_some() {
        return None;
    }
    if let Some((_, key)) = PREFERRED.iter().find(|(name, _)| *name == wanted) {
        return Some((*key).to_owned());
    }
    let bare = |key: &&String| key.rsplit('.').next().is_some_and(|name| plain(name) == wanted);
    let named = |key: &&String| key.strip_suffix(".name").is_some_and(|section| plain(section) == wanted);
    only(known.iter().filter(named))
        .or_else(|| only(known.iter().filter(bare)))
        .cloned()
        .or_else(|| same_elsewhere(typed).map(str::to_owned))
}

/// The key that was meant, beside the value that it was given: `val=0.2` is a share and no folder.
pub fn meant(typed: &str, value: &Value) -> Option<String> {
    let is_number = matches!(value, Value::Integer(_) | Value::Float(_));
    match plain(typed).as_str() {
        "val" | "valid" | "dataval" if is_number => Some("data.val_frac".to_owned()),
        // A share of the data, which is not split off here.
        "train" | "test" | "datatrain" | "datatest" if is_number => None,
        _ => key(typed),
    }
}

/// The key that other libraries call so.
pub(in super::super) fn same_elsewhere(name: &str) -> Option<&'static str> {
    let bare = plain(name.rsplit('.').next().unwrap_or_default());
    let spanish =
        || SPANISH.iter().find(|(_, theirs)| theirs.contains(&bare.as_str())).map(|(ours, _)| *ours);
    elsewhere::same(&bare).or_else(spanish)
}

/// What to say of a name of other libraries that no key is, or of a transform where a key should be, with the value that it was given.
pub fn answer(name: &str, value: Option<&str>) -> Option<String> {
    let bare = plain(name.rsplit('.').next().unwrap_or_default());
    let number = value.and_then(|value| value.parse::<f64>().ok());
    let share_of = match bare.as_str() {
        "train" if number.is_some() => "trainsize",
        "test" if number.is_some() => "testsize",
        bare => bare,
    };
    let mistaken = || if name.contains('.') { None } else { near::mistakable(&bare) };
    if let Some(said) = mistaken().or_else(|| near::near(share_of)) {
        return Some(said.told(value));
    }
    let whole = plain(name);
    if matches!(
        whole.as_str(),
        "loss"
            | "lossname"
            | "losstype"
            | "lossfunction"
            | "lossfn"
            | "criterion"
            | "perdida"
            | "perdidas"
            | "funcionperdida"
            | "funciondeperdida"
    ) {
        return Some(
            Said(
                "the loss is cross-entropy, that of classification, and there is no other: leave it out; it is changed by [loss.label_smoothing]=0.1 and \
                 [loss.class_weights]=balanced",
            )
            .told(None),
        );
    }
    let transform = transforms::transform(&bare)?;
    // A number up to 1 beside the name of a flip or of an erasing is how often it happens; beside others it is a strength.
    let p = number.filter(|p| (0.0..=1.0).contains(p));
    let has_p = matches!(transform, "horizontal_flip" | "vertical_flip" | "coarse_dropout");
    // Degrees, as Keras and torchvision have them.
    let degrees = value.filter(|value| transform == "rotate" && value.parse::<f64>().is_ok());
    let inner = match (p.filter(|_| has_p), degrees) {
        (Some(p), _) => format!(" p = {p:?} "),
        (None, Some(degrees)) => format!(" limit = {degrees} "),
        (None, None) => String::new(),
    };
    Some(format!(
        "{transform} is a transform: type --set 'augment.transforms=[{{ {transform} = {{{inner}}} }}]' (all in one list, with those that are there)"
    ))
}

/// What to say of a key that does not exist where its name says what was wanted.
pub(in super::super) fn about_key(key: &str, value: &Value) -> Option<String> {
    let wanted = plain(key);
    let known = schema::keys();
    let named: Vec<&str> = known
        .iter()
        .map(String::as_str)
        .filter(|known| {
            !key.contains('.') && known.rsplit('.').next().is_some_and(|name| plain(name) == wanted)
        })
        .collect();
    if let [others @ .., last] = &named[..]
        && !others.is_empty()
    {
        return Some(format!("there are {} and {last}: type which, with its section", others.join(", ")));
    }
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    answer(key, Some(&shown))
}

/// What to say of a key in a section that does not exist; nothing where it is right in the section that was meant.
pub(in super::super) fn where_it_belongs(
    name: &str,
    value: &Value,
    section_meant: Option<&str>,
) -> Option<String> {
    let known = schema::keys();
    if section_meant.is_some_and(|section| known.contains(&format!("{section}.{name}"))) {
        return None;
    }
    if let Some(key) = meant(name, value)
        && let Some((section, ours)) = key.split_once('.')
    {
        return Some(match ours == name {
            true => format!("`{name}` belongs under [{section}]"),
            false => format!("`{name}` is `{ours}`, and belongs under [{section}]"),
        });
    }
    let said = about_key(name, value)
        .or_else(|| schema::suggestion(name, &known).map(|key| format!("did you mean `{key}`?")));
    Some(format!("unknown key `{name}`{}", said.map_or_else(String::new, |said| format!("; {said}"))))
}

//! Words that people type for what a recipe calls otherwise: names of other libraries, lists without brackets, keys without their
//! section. What can mean one thing only is taken as that, and said; the rest is answered with what to type.

use super::elsewhere::{self, TRANSFORMS};
use super::{Monitor, monitor, schema};
use crate::schedule::SCHEDULES;
use pupila_backend::optimizer;
use pupila_network::architectures;
use toml::{Table, Value};

/// Values by the names that other libraries give them, without case and underscores.
const VALUES: [(&str, &str, &str); 14] = [
    ("model.init", "henormal", "kaiming_normal"),
    ("model.init", "heuniform", "kaiming_uniform"),
    ("model.init", "glorotnormal", "xavier_normal"),
    ("model.init", "glorotuniform", "xavier_uniform"),
    ("model.init", "default", "pytorch"),
    ("schedule.name", "cosineannealing", "cosine"),
    ("schedule.name", "cosineannealinglr", "cosine"),
    ("schedule.name", "steplr", "step"),
    ("schedule.name", "exponentiallr", "exponential"),
    ("schedule.name", "onecyclelr", "one_cycle"),
    ("schedule.name", "reducelronplateau", "plateau"),
    ("schedule.name", "none", "constant"),
    ("optimizer.name", "sgdmomentum", "sgd"),
    ("model.activation", "swish", "silu"),
];

/// A name without what differs between ways of writing it.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The only one of its kind.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

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
    let bare = |key: &&String| key.rsplit('.').next().is_some_and(|name| plain(name) == wanted);
    let named = |key: &&String| key.strip_suffix(".name").is_some_and(|section| plain(section) == wanted);
    only(known.iter().filter(named))
        .or_else(|| only(known.iter().filter(bare)))
        .cloned()
        .or_else(|| same_elsewhere(typed).map(str::to_owned))
}

/// The key that other libraries call so.
pub(super) fn same_elsewhere(name: &str) -> Option<&'static str> {
    elsewhere::same(&plain(name.rsplit('.').next().unwrap_or_default()))
}

/// What to say of a name of other libraries that no key is, or of a transform where a key should be, with the value that it was given.
pub fn answer(name: &str, value: Option<&str>) -> Option<String> {
    let bare = plain(name.rsplit('.').next().unwrap_or_default());
    if let Some(said) = elsewhere::near(&bare) {
        return Some(said);
    }
    let whole = plain(name);
    if matches!(whole.as_str(), "loss" | "lossname" | "losstype" | "lossfunction" | "lossfn" | "criterion") {
        return Some(
            "the loss is cross-entropy, that of classification, and there is no other: leave it out ([loss] has \
             label_smoothing, class_weights)"
                .to_owned(),
        );
    }
    let transform = transform(&bare)?;
    // A number up to 1 beside the name of a flip or of an erasing is how often it happens; beside others it is a strength.
    let p = value.and_then(|value| value.parse::<f64>().ok()).filter(|p| (0.0..=1.0).contains(p));
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

/// The names that a key takes, where it takes names.
fn names(key: &str) -> Vec<String> {
    match key {
        "model.name" => architectures::REGISTRY.iter().map(|entry| entry.name.to_owned()).collect(),
        "optimizer.name" => optimizer::REGISTRY.iter().map(|entry| entry.name.to_owned()).collect(),
        "schedule.name" => SCHEDULES.iter().map(|entry| entry.name.to_owned()).collect(),
        "train.monitor" => {
            pupila_metrics::METRICS.iter().map(|metric| format!("val/{}", metric.name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The value that was meant, where `admits` takes only that; none where it is right as it is or cannot be told.
pub(super) fn value(key: &str, typed: &Value, admits: &dyn Fn(&Value) -> bool) -> Option<Value> {
    if key == "augment.transforms" {
        return transforms(typed).filter(|meant| meant != typed);
    }
    let valid = names(key);
    if let (false, Value::String(name)) = (valid.is_empty(), typed) {
        if valid.contains(name) || key == "train.monitor" && Monitor::parse(name).is_ok() {
            return None;
        }
        let meant = only(valid.into_iter().filter(|valid| plain(valid) == plain(name)));
        let metric = || match &monitor::meant(name)[..] {
            [only] if key == "train.monitor" => Some(format!("val/{only}")),
            _ => None,
        };
        let meant = meant.or_else(metric);
        return meant.or_else(|| named_elsewhere(key, name)).map(Value::String);
    }
    if admits(typed) {
        return None;
    }
    let mut candidates = Vec::new();
    match typed {
        Value::String(text) => {
            candidates.extend(named_elsewhere(key, text).map(Value::String));
            candidates.push(super::layers::parse_value(&text.to_lowercase()));
            candidates.push(Value::String(snake_case(text)));
            candidates.push(Value::String(plain(text)));
            candidates.extend(text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float));
            candidates.extend(list(text).map(Value::Array));
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
            candidates.push(Value::Array(vec![typed.clone()]));
        }
        _ => {}
    }
    candidates.into_iter().find(|candidate| admits(candidate))
}

fn named_elsewhere(key: &str, name: &str) -> Option<String> {
    let wanted = plain(name);
    let found = VALUES.iter().find(|(of, theirs, _)| *of == key && *theirs == wanted);
    found.map(|(_, _, ours)| (*ours).to_owned())
}

/// `LeakyRelu` as `leaky_relu`.
fn snake_case(name: &str) -> String {
    let mut text = String::new();
    let mut before = None;
    for c in name.chars() {
        if c.is_uppercase() && before.is_some_and(char::is_lowercase) {
            text.push('_');
        }
        text.extend(c.to_lowercase());
        before = Some(c);
    }
    text.replace(['-', ' '], "_")
}

/// The items of a list that lacks its brackets, its commas or both.
fn items(text: &str) -> Vec<&str> {
    let inner = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    inner.split([',', ' ', '\t']).map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn list(text: &str) -> Option<Vec<Value>> {
    let items = items(text);
    (!items.is_empty()).then(|| items.into_iter().map(super::layers::parse_value).collect())
}

/// The list with the items separated as TOML has them, where that was what was wrong with a line.
pub(super) fn list_with_commas(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let value = value.trim();
    let inner = value.strip_prefix('[')?.split(']').next()?;
    let is_list = inner.split_whitespace().count() > 1 && !inner.contains([',', '{', '"']);
    is_list.then(|| format!("{} = [{}]", key.trim(), items(inner).join(", ")))
}

/// The name of a transform that a name means.
pub(super) fn transform(name: &str) -> Option<&'static str> {
    let wanted = plain(name);
    let known = || pupila_transforms::registry().iter().map(|entry| entry.name);
    known()
        .find(|known| *known == name)
        .or_else(|| only(known().filter(|known| plain(known) == wanted)))
        .or_else(|| TRANSFORMS.iter().find(|(theirs, _)| *theirs == wanted).map(|(_, ours)| *ours))
}

/// A list of transforms with the names that they have here; none where a form is wrong otherwise.
fn transforms(typed: &Value) -> Option<Value> {
    let alone = |name: &str| {
        let table = Table::from_iter([(transform(name)?.to_owned(), Value::Table(Table::new()))]);
        Some(Value::Table(table))
    };
    match typed {
        Value::String(text) if plain(text) == "none" => Some(Value::Array(Vec::new())),
        Value::String(text) => {
            let all: Option<Vec<Value>> = items(text).into_iter().map(alone).collect();
            all.filter(|all| !all.is_empty()).map(Value::Array)
        }
        Value::Table(one) if one.len() == 1 => transforms(&Value::Array(vec![typed.clone()])),
        Value::Array(list) => {
            let renamed = list.iter().map(|item| match item {
                Value::String(name) => alone(name).unwrap_or_else(|| item.clone()),
                Value::Table(table) => {
                    let renamed = table.iter().map(|(name, parameters)| {
                        let name = transform(name).unwrap_or(name).to_owned();
                        let mut parameters = parameters.clone();
                        if let Some(inner) = parameters.get("transforms").and_then(transforms)
                            && let Value::Table(parameters) = &mut parameters
                        {
                            parameters.insert("transforms".to_owned(), inner);
                        }
                        (name, parameters)
                    });
                    Value::Table(renamed.collect())
                }
                other => other.clone(),
            });
            Some(Value::Array(renamed.collect()))
        }
        _ => None,
    }
}

/// What to say of a key that does not exist where its name says what was wanted.
pub(super) fn about_key(key: &str, value: &Value) -> Option<String> {
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
    answer(key, Some(&value.to_string()))
}

/// What to say of a value that a key does not take, with the line to type.
pub(super) fn about_value(key: &str, value: &Value) -> Option<String> {
    let type_it = |value: &str| format!("type --set '{key}={value}'");
    match (key, value) {
        ("model.init", Value::String(name)) => {
            let two = |normal: &str, uniform: &str| {
                format!(
                    "comes in two forms, {normal} and {uniform}: type --set {key}={normal} or --set {key}={uniform}"
                )
            };
            Some(match plain(name).as_str() {
                "he" | "kaiming" => two("kaiming_normal", "kaiming_uniform"),
                "xavier" | "glorot" => two("xavier_normal", "xavier_uniform"),
                "uniform" => {
                    format!("needs its ends: {}", type_it("{ uniform = { low = -0.1, high = 0.1 } }"))
                }
                "normal" => format!("needs its deviation: {}", type_it("{ normal = { std = 0.01 } }")),
                "constant" => format!("needs its value: {}", type_it("{ constant = { value = 0.01 } }")),
                "zeros" | "zero" => format!("is a constant: {}", type_it("{ constant = { value = 0.0 } }")),
                "ones" | "one" => format!("is a constant: {}", type_it("{ constant = { value = 1.0 } }")),
                _ => format!("is no initialiser; there are {}", initialisers()),
            })
        }
        ("model.init", Value::Table(table)) => {
            let name = table.keys().next().map_or("", String::as_str);
            let known = pupila_network::Init::REGISTRY.iter().find(|entry| entry.name == name);
            Some(match known {
                Some(entry) => format!("does not fit: {}", type_it(&inline(&entry.example))),
                None => format!("is no initialiser; there are {}", initialisers()),
            })
        }
        ("augment.transforms", _) => Some(format!(
            "expected a list of transforms (`pupila list transforms`): {}",
            type_it("[{ horizontal_flip = { p = 0.5 } }, { rotate = {} }]")
        )),
        (_, Value::Integer(number)) if *number < 0 => Some("must not be negative".to_owned()),
        _ => None,
    }
}

/// An initialiser as TOML has it in one line.
fn inline(init: &pupila_network::Init) -> String {
    Value::try_from(init).map_or_else(|_| String::new(), |value| value.to_string().replace('"', ""))
}

fn initialisers() -> String {
    pupila_network::Init::REGISTRY.map(|entry| entry.name).join(", ")
}

#[cfg(test)]
mod tests {
    use crate::recipe::{CheckedRecipe, Layers, RecipeErrors, Setting};

    fn resolve(settings: &[&str]) -> Result<CheckedRecipe, RecipeErrors> {
        let setting = |s: &&str| Setting { assignment: (*s).to_owned(), option: format!("--set {s}") };
        Layers { file: None, settings: settings.iter().map(setting).collect(), learnt: None }.resolve()
    }

    #[test]
    fn what_can_mean_one_thing_only_is_taken_as_that_and_said() {
        for (typed, right) in [
            ("model.hidden=512,256", "model.hidden=[512, 256]"),
            ("hidden=512, 256", "model.hidden=[512, 256]"),
            ("hidden=512", "model.hidden=[512]"),
            ("model.hidden=[512 128]", "model.hidden=[512, 128]"),
            ("model.hidden=(64,32)", "model.hidden=[64, 32]"),
            ("dropout=0.5", "model.dropout=0.5"),
            ("model.dropout=.5", "model.dropout=0.5"),
            ("model.dropout 0.5", "model.dropout=0.5"),
            ("lr 0.1", "optimizer.lr=0.1"),
            ("learning_rate=0.1", "optimizer.lr=0.1"),
            ("data.val_split=0.3", "data.val_frac=0.3"),
            ("validation_split=0.3", "data.val_frac=0.3"),
            ("model.dropout_rate=0.3", "model.dropout=0.3"),
            ("batch-size=8", "train.batch=8"),
            ("bs=8", "train.batch=8"),
            ("random_state=7", "train.seed=7"),
            ("train.random_state=7", "train.seed=7"),
            ("max_epochs=3", "train.epochs=3"),
            ("n_epochs=3", "train.epochs=3"),
            ("n_splits=5", "data.folds=5"),
            ("img_size=96", "input.size=96"),
            ("weight_decay=0.1", "optimizer.weight_decay=0.1"),
            ("gradient_clip_val=1.0", "train.clip_norm=1.0"),
            ("hidden_layer_sizes=(64,32)", "model.hidden=[64, 32]"),
            ("smoothing=0.1", "loss.label_smoothing=0.1"),
            ("train.monitor=val_acc", "train.monitor=val/accuracy"),
            ("train.monitor=accuracy", "train.monitor=val/accuracy"),
            ("train.monitor=val_top5_acc", "train.monitor=val/top5_accuracy"),
            ("metric_for_best_model=mcc", "train.monitor=val/matthews"),
            ("optimizer.name=Adam", "optimizer.name=adam"),
            ("optimizer.name=AdamW", "optimizer.name=adamw"),
            ("optimizer=SGD", "optimizer.name=sgd"),
            ("model=CNN", "model.name=cnn"),
            ("model.name=ResNet-18", "model.name=resnet18"),
            ("model.name=MobileNetV2", "model.name=mobilenet_v2"),
            ("schedule=CosineAnnealingLR", "schedule.name=cosine"),
            ("schedule.name=OneCycle", "schedule.name=one_cycle"),
            ("train.monitor=val_loss", "train.monitor=val/loss"),
            ("monitor=val_macro_f1", "train.monitor=val/macro_f1"),
            ("model.activation=ReLU", "model.activation=relu"),
            ("model.batch_norm=True", "model.batch_norm=true"),
            ("model.init=he_normal", "model.init=kaiming_normal"),
            ("model.init=GlorotUniform", "model.init=xavier_uniform"),
            ("model.init=KaimingNormal", "model.init=kaiming_normal"),
            ("augment.transforms=HorizontalFlip", "augment.transforms=[{ horizontal_flip = {} }]"),
            ("transforms=none", "augment.transforms=[]"),
            (
                "augment.transforms=[HorizontalFlip, Cutout]",
                "augment.transforms=[{ horizontal_flip = {} }, { coarse_dropout = {} }]",
            ),
            (
                "augment.transforms=[\"VerticalFlip\", { OneOf = { transforms = [{ HorizontalFlip = { p = 1.0 } }] } }]",
                "augment.transforms=[{ vertical_flip = {} }, { one_of = { transforms = [{ horizontal_flip = { p = 1.0 } }] } }]",
            ),
        ] {
            let taken = resolve(&[typed]).unwrap_or_else(|errors| panic!("{typed}: {errors}"));
            let meant = resolve(&[right]).unwrap();
            assert_eq!(taken.recipe(), meant.recipe(), "{typed}");
            assert_eq!(taken.taken().len(), 1, "{typed}: {:?}", taken.taken());
            assert!(
                taken.taken()[0].starts_with(&format!("--set {typed} is taken as ")),
                "{:?}",
                taken.taken()
            );
            assert!(meant.taken().is_empty(), "{right}: {:?}", meant.taken());
        }
    }

    #[test]
    fn the_rest_is_answered_in_the_users_words_with_what_to_type() {
        for (typed, words) in [
            ("model.init=he", "model.init = \"he\": comes in two forms, kaiming_normal and kaiming_uniform"),
            ("init=xavier", "type --set model.init=xavier_normal or --set model.init=xavier_uniform"),
            ("model.init=uniform", "type --set 'model.init={ uniform = { low = -0.1, high = 0.1 } }'"),
            ("model.init=normal", "type --set 'model.init={ normal = { std = 0.01 } }'"),
            ("model.init=constant", "type --set 'model.init={ constant = { value = 0.01 } }'"),
            (
                "model.init={ uniform = 0.1 }",
                "type --set 'model.init={ uniform = { low = -0.1, high = 0.1 } }'",
            ),
            (
                "patience=5",
                "there are schedule.patience and early_stopping.patience: type which, with its section",
            ),
            ("model.init=orthogonal", "there are pytorch, xavier_uniform"),
            ("test_size=0.2", "unknown key `test_size`: no test set is split off here: data.val_frac=0.2"),
            (
                "data.shuffle=true",
                "unknown key `data.shuffle`: training images are shuffled anew in every epoch",
            ),
            ("num_workers=4", "--threads N says on how many cores it works"),
            ("train.device=cuda", "it trains on the processor"),
            ("item_tfms=Resize(224)", "input.size=224 is what the network sees"),
            ("warmup_epochs=5", "counted in updates: schedule.warmup_steps=500"),
            ("horizontal_flip=true", "type --set 'augment.transforms=[{ horizontal_flip = {} }]'"),
            ("augment.hflip=0.3", "type --set 'augment.transforms=[{ horizontal_flip = { p = 0.3 } }]'"),
            ("rotation_range=20", "type --set 'augment.transforms=[{ rotate = { limit = 20 } }]'"),
            // A strength, and no probability.
            ("zoom_range=0.2", "type --set 'augment.transforms=[{ shift_scale_rotate = {} }]'"),
            ("train.monitor=val/f1", "no metric is named `f1`; there are val/macro_f1 and val/weighted_f1"),
            ("train.monitor=f1", "such as val/macro_f1 or val/weighted_f1, got `f1`"),
            ("train.monitor=val_auc", "such as val/macro_auc or val/weighted_auc, got `val_auc`"),
            ("train.monitor=train/loss", "such as val/loss, got `train/loss`"),
            ("train.monitor=nonsense", "such as val/loss or val/macro_f1, got `nonsense`"),
            ("loss.name=mse", "the loss is cross-entropy"),
            ("loss=focal", "the loss is cross-entropy"),
            ("train.epochs=-5", "train.epochs = -5: must not be negative"),
            ("epochs=-5", "train.epochs = -5: must not be negative"),
            ("model.dropout", "expected KEY=VALUE: type --set model.dropout=VALUE"),
            ("augment.transforms=Nonsense", "expected a list of transforms"),
            ("name=x", "unknown key `name`"),
            ("drpout=0.3", "unknown key `drpout`; did you mean `model.dropout`?"),
            ("patiance=3", "patience`?"),
        ] {
            let told = resolve(&[typed]).expect_err(typed).to_string();
            assert!(told.contains(words), "{typed}: {words:?} is not in {told}");
            assert!(!told.contains("variant"), "{typed}: {told}");
        }
    }

    #[test]
    fn the_arguments_of_other_libraries_that_have_an_equivalent_are_understood() {
        for (library, names) in [
            (
                "Keras",
                "batch_size epochs validation_split shuffle class_weight learning_rate weight_decay momentum nesterov beta_1 beta_2 epsilon rho \
                 global_clipnorm clipnorm use_ema ema_momentum label_smoothing monitor min_delta patience restore_best_weights save_best_only \
                 image_size target_size color_mode seed crop_to_aspect_ratio pad_to_aspect_ratio interpolation kernel_initializer activation \
                 dropout rescale rotation_range width_shift_range height_shift_range zoom_range brightness_range horizontal_flip vertical_flip \
                 steps_per_epoch verbose callbacks metrics decay_rate class_names",
            ),
            (
                "Lightning",
                "max_epochs max_steps accelerator devices strategy precision gradient_clip_val accumulate_grad_batches log_every_n_steps \
                 deterministic default_root_dir logger enable_checkpointing limit_train_batches overfit_batches ckpt_path num_workers \
                 every_n_train_steps save_top_k",
            ),
            (
                "fastai",
                "bs valid_pct item_tfms batch_tfms seed size lr lr_max wd pct_start div_final n_epoch freeze_epochs fn_col label_col valid_col \
                 suff arch pretrained metrics",
            ),
            (
                "timm",
                "batch_size img_size input_size in_chans crop_pct mean std interpolation opt opt_eps opt_betas momentum weight_decay clip_grad \
                 layer_decay grad_accum_steps sched lr warmup_lr min_lr decay_epochs decay_rate warmup_epochs patience_epochs hflip vflip \
                 color_jitter reprob mixup cutmix mixup_prob smoothing drop drop_path model_ema model_ema_decay seed log_interval workers \
                 eval_metric tta initial_checkpoint num_classes data_dir amp device resume experiment",
            ),
            (
                "scikit-learn",
                "test_size train_size random_state shuffle stratify n_splits groups hidden_layer_sizes activation solver batch_size \
                 learning_rate_init max_iter tol momentum early_stopping validation_fraction n_iter_no_change beta_1 epsilon n_jobs \
                 class_weight scoring",
            ),
            (
                "transformers",
                "num_train_epochs per_device_train_batch_size learning_rate weight_decay adam_beta1 adam_epsilon max_grad_norm \
                 lr_scheduler_type warmup_ratio warmup_steps gradient_accumulation_steps label_smoothing_factor metric_for_best_model \
                 load_best_model_at_end output_dir logging_steps save_steps fp16 report_to run_name resume_from_checkpoint dataloader_num_workers",
            ),
            (
                "Ultralytics",
                "imgsz lr0 batch epochs patience optimizer dropout degrees fliplr flipud workers device project name resume",
            ),
        ] {
            for name in names.split_whitespace() {
                let understood = super::key(name).is_some()
                    || super::about_key(name, &toml::Value::Integer(1)).is_some()
                    // The name of a run is an option, and that of a model, an optimizer or a schedule is meant by its section.
                    || name == "name";
                assert!(understood, "{library}: {name}");
            }
        }
    }

    #[test]
    fn a_name_of_another_library_outside_of_any_section_is_answered_too() {
        for (line, words) in [
            ("device = \"cuda\"", "`device` stands outside of any section; it trains on the processor"),
            ("random_state = 7", "`seed` belongs under [train]"),
            ("horizontal_flip = true", "horizontal_flip is a transform"),
        ] {
            let file = Some(("r.toml".into(), format!("{line}\n")));
            let told = Layers { file, settings: Vec::new(), learnt: None }.resolve().unwrap_err().to_string();
            assert!(told.contains(words), "{line}: {told}");
        }
    }

    #[test]
    fn a_list_without_commas_is_shown_with_them() {
        let file = Some(("r.toml".into(), "[model]\nhidden = [512 128]\n".to_owned()));
        let told = Layers { file, settings: Vec::new(), learnt: None }.resolve().unwrap_err().to_string();
        assert!(told.contains("r.toml:2") && told.contains("by commas: hidden = [512, 128]"), "{told}");
    }
}

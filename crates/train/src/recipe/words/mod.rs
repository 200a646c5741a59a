//! Words that people type for what a recipe calls otherwise: names of other libraries, lists without brackets, keys without their
//! section. What can mean one thing only is taken as that, and said; the rest is answered with what to type.
//!
//! [`keys`] knows keys, by the tables of [`elsewhere`], [`spanish`] and [`near`], whose sentences are [`said`]; [`values`] knows values, [`names`], [`numbers`],
//! [`transforms`] and [`python`] among them; [`proposal`] makes lines to type that the parser takes.

mod elsewhere;
mod keys;
mod names;
mod near;
mod numbers;
mod proposal;
mod python;
mod said;
mod spanish;
mod transforms;
mod values;

pub(super) use keys::{about_key, same_elsewhere, where_it_belongs};
pub use keys::{answer, key, meant};
pub(super) use proposal::set;
pub use proposal::{off, setting, value_of};
pub(super) use values::{about_line, about_name, about_value, value};

/// A name without what differs between ways of writing it.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).map(without_accent).collect()
}

/// The letter without the accent that Spanish puts on it.
fn without_accent(c: char) -> char {
    match c {
        '\u{e1}' => 'a',
        '\u{e9}' => 'e',
        '\u{ed}' => 'i',
        '\u{f3}' => 'o',
        '\u{fa}' | '\u{fc}' => 'u',
        '\u{f1}' => 'n',
        other => other,
    }
}

/// The only one of its kind.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
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
            ("augment=false", "augment.transforms=[]"),
            ("augment=none", "augment.transforms=[]"),
            ("augmentation=off", "augment.transforms=[]"),
            ("dropout=0,3", "model.dropout=0.3"),
            ("lr=0,001", "optimizer.lr=0.001"),
            ("optimizer.lr=3,5e-4", "optimizer.lr=3.5e-4"),
            ("weight_decay=0,0001", "optimizer.weight_decay=0.0001"),
            ("betas=0,9,0,99", "optimizer.betas=[0.9, 0.99]"),
            ("optimizer.betas=[0,9, 0,99]", "optimizer.betas=[0.9, 0.99]"),
            (
                "augment.transforms=[{ horizontal_flip = { p = 0,25 } }]",
                "augment.transforms=[{ horizontal_flip = { p = 0.25 } }]",
            ),
            ("val_frac=30%", "data.val_frac=0.3"),
            ("dropout=12,5%", "model.dropout=0.125"),
            ("data.max_per_class=10,000", "data.max_per_class=10000"),
            ("dropout=none", "model.dropout=0.0"),
            ("class_weight=balanced", "loss.class_weights=\"balanced\""),
            ("class_weights=true", "loss.class_weights=\"balanced\""),
            ("batch_norm=yes", "model.batch_norm=true"),
            ("batchnorm=1", "model.batch_norm=true"),
            ("data.cache=off", "data.cache=false"),
            ("normalize=false", "data.normalize=\"none\""),
            ("activation=LeakyReLU", "model.activation=leaky_relu"),
            ("schedule.name=reduce_on_plateau", "schedule.name=plateau"),
            ("schedule.name=ReduceLROnPlateau", "schedule.name=plateau"),
            ("schedule.name=cosine_annealing", "schedule.name=cosine"),
            ("scheduler=StepLR", "schedule.name=step"),
            ("scheduler=OneCycleLR", "schedule.name=one_cycle"),
            ("scheduler=off", "schedule.name=constant"),
            ("cv=5", "data.folds=5"),
            ("images_per_class=20", "data.max_per_class=20"),
            ("input.channels=gray", "input.channels=1"),
            ("channels=RGB", "input.channels=3"),
            ("size=32x32", "input.size=32"),
            ("data.k=5", "data.folds=5"),
            ("data.sampler=WeightedRandomSampler", "data.sampler=\"balanced\""),
            ("sampler=WeightedRandomSampler", "data.sampler=\"balanced\""),
            ("gradient_clipping=0.5", "train.clip_norm=0.5"),
            ("train.grad_clipping=2.0", "train.clip_norm=2.0"),
            ("input.channels=grises", "input.channels=1"),
            ("k_folds=5", "data.folds=5"),
            ("units=64", "model.hidden=[64]"),
            ("val=0.3", "data.val_frac=0.3"),
            ("early_stopping=5", "early_stopping.patience=5"),
            ("tasa_aprendizaje=0.01", "optimizer.lr=0.01"),
            ("\u{e9}pocas=3", "train.epochs=3"),
            ("tama\u{f1}o=32", "input.size=32"),
            ("tamano_lote=8", "train.batch=8"),
            ("train.semilla=4", "train.seed=4"),
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
            (
                "test_size=0.2",
                "unknown key `test_size`: no test set is split off here: --set data.val_frac=0.2",
            ),
            (
                "data.shuffle=true",
                "unknown key `data.shuffle`: training images are shuffled anew in every epoch",
            ),
            ("augment=true", "is on as it is, with a flip and small changes"),
            ("early_stopping=true", "needs a value: type --set early_stopping.patience=5"),
            ("early_stopping=false", "is off unless it is given: leave it out"),
            ("train.batch=true", "needs a value: type --set train.batch=32"),
            ("T_max=10", "falls once, over the whole run: --set schedule.name=cosine"),
            ("mode=max", "leave it out (--set train.monitor=val/macro_f1)"),
            ("alpha=0.4", "that may be MixUp's, --set augment.mixup=0.4"),
            ("lr_decay=0.1", "by a schedule: --set schedule.name=exponential --set schedule.gamma=0.95"),
            ("decay=1e-6", "weights decay by --set optimizer.weight_decay=0.0001"),
            ("beta_1=0.8", "--set 'optimizer.betas=[0.8, 0.999]'"),
            ("steps=1000", "the length of a run is --set train.epochs=30"),
            ("kernel_size=5", "the convolutions of cnn are 3x3"),
            ("n_layers=3", "each width in a list is a layer: --set model.hidden=128,64"),
            ("momentum=0.9", "sgd and rmsprop use it: type --set optimizer.name=sgd"),
            ("factor=0.5", "step, exponential and plateau use it: type --set schedule.name=step too"),
            ("eta_min=1e-5", "cosine and plateau use it: type --set schedule.name=cosine"),
            ("filters=8,16", "cnn has it: type --set model.name=cnn"),
            ("schedule.name=linear_warmup", "--set schedule.name=constant --set schedule.warmup_steps=500"),
            ("optimizer=Nadam", "the nearest is --set optimizer.name=adamw"),
            ("model=LogisticRegression", "--set model.name=mlp --set 'model.hidden=[]'"),
            ("data.val=0.3", "the share that is set aside is --set data.val_frac=0.3"),
            ("data.test=0.2", "no test set is split off here"),
            ("test=0.2", "no test set is split off here"),
            ("size=32x48", "two sides are height and width: type --set 'input.size=[32, 48]'"),
            ("train.seed=1,2,3", "several are compared by `pupila study FILE DATA --seeds 3`"),
            ("lr=0.1,0.01", "takes one value in a run; several are compared by"),
            ("early_stopping.enabled=true", "early stopping is on by --set early_stopping.patience=5"),
            ("split=0.3", "--set data.val_frac=0.3 sets images aside"),
            ("lr=1,000", "a comma, which may part decimals or thousands"),
            ("num_workers=4", "--threads N says on how many cores it works"),
            ("train.device=cuda", "it trains on the processor"),
            ("item_tfms=Resize(224)", "--set input.size=224 is what the network sees"),
            ("warmup_epochs=5", "counted in updates: --set schedule.warmup_steps=500"),
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
            ("perdida=mse", "the loss is cross-entropy"),
            ("loss.name=hinge", "--set loss.label_smoothing=0.1 and --set loss.class_weights=balanced"),
            ("callbacks=EarlyStopping", "--set early_stopping.patience=5 ends a run early"),
            ("train.callbacks=[\"ReduceLROnPlateau\"]", "--set schedule.name=plateau lowers"),
            (
                "augment.policy=imagenet",
                "--set augment.transforms=trivial_augment or --set augment.transforms=rand_augment",
            ),
            ("model.conv_layers=3", "--set model.name=cnn --set model.filters=16,32,64"),
            ("n_conv_layers=3", "--set model.name=cnn --set model.filters=16,32,64"),
            (
                "data.normalize=zscore",
                "of the training images by --set data.normalize=data, of each image by",
            ),
            ("normalize=StandardScaler", "of ImageNet by --set data.normalize=imagenet"),
            ("data.normalize=rescale", "from 0 to 1 by --set data.normalize=none"),
            ("grises=true", "--set input.channels=1 is gray"),
            ("gradient_clipping=true", "needs a value: type --set train.clip_norm=1.0"),
            ("pos_weight=3", "--set loss.class_weights=balanced"),
            ("loss.pos_weight=[1, 3]", "--set loss.class_weights=balanced"),
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
    fn a_decimal_comma_in_a_file_is_shown_as_a_point() {
        for (line, shown) in [
            ("dropout = 0,3", "decimals have a point: dropout = 0.3"),
            ("dropout = 0,25 # half", "decimals have a point: dropout = 0.25"),
            ("hidden = 512,128", "not TOML"),
        ] {
            let file = Some(("r.toml".into(), format!("[model]\n{line}\n")));
            let told = Layers { file, settings: Vec::new(), learnt: None }.resolve().unwrap_err().to_string();
            assert!(told.contains("r.toml:2") && told.contains(shown), "{told}");
        }
    }

    #[test]
    fn a_recipe_in_another_format_is_told_the_one_that_it_has() {
        for name in ["r.yaml", "r.YML", "r.json"] {
            let file = Some((name.into(), "model:\n  name: cnn\n".to_owned()));
            let told = Layers { file, settings: Vec::new(), learnt: None }.resolve().unwrap_err().to_string();
            assert!(told.contains("a recipe is TOML: [train]"), "{told}");
        }
    }

    /// Any number with one digit or more behind its comma is that number, whichever key takes it.
    #[test]
    fn numbers_with_a_comma_are_those_with_a_point() {
        for key in
            ["model.dropout", "data.val_frac", "optimizer.lr", "optimizer.weight_decay", "train.clip_norm"]
        {
            for digits in ["1", "05", "25", "001", "125", "0625", "00001"] {
                let (comma, point) = (format!("{key}=0,{digits}"), format!("{key}=0.{digits}"));
                let taken = resolve(&[&comma]).unwrap_or_else(|errors| panic!("{comma}: {errors}"));
                assert_eq!(taken.recipe(), resolve(&[&point]).unwrap().recipe(), "{comma}");
            }
        }
    }

    #[test]
    fn a_list_without_commas_is_shown_with_them() {
        let file = Some(("r.toml".into(), "[model]\nhidden = [512 128]\n".to_owned()));
        let told = Layers { file, settings: Vec::new(), learnt: None }.resolve().unwrap_err().to_string();
        assert!(told.contains("r.toml:2") && told.contains("by commas: hidden = [512, 128]"), "{told}");
    }
}

use super::*;

fn parse(text: &str) -> Result<Space, SearchErrors> {
    Space::parse(Path::new("s.toml"), text)
}

const WHOLE: &str = r#"
[space]
"optimizer.lr" = { float = [1e-4, 1e-2], log = true }
"model.dropout" = { float = [0, 1], step = 0.1 }
"model.layers" = { int = [1, 5], when = { "model.name" = "mlp" } }
"model.width" = { int = [8, 64], log = true, when = { "model.layers" = [4, 5] } }
"model.name" = { categorical = ["mlp", "cnn", "linear"] }
"augment.transforms" = { categorical = [[], ["horizontal_flip"], [{ rotate = { p = 0.5 } }]] }
train.amp = { categorical = [true, false] }
"model.bias" = { categorical = [true, false], when = { "model.name" = ["cnn", "mlp"] } }
"#;

#[test]
fn a_space_is_read_with_its_conditions_and_groups() {
    let space = parse(WHOLE).unwrap();
    let keys: Vec<&str> = space.parameters().iter().map(|parameter| parameter.key.as_str()).collect();
    assert_eq!(keys[0], "optimizer.lr");
    assert!(keys.contains(&"train.amp"));
    let named = |group: &Group| -> Vec<&str> { group.parameters.iter().map(|&place| keys[place]).collect() };
    let groups: Vec<Vec<&str>> = space.groups().iter().map(named).collect();
    assert_eq!(
        groups,
        [
            vec!["optimizer.lr", "model.dropout", "model.name", "augment.transforms", "train.amp"],
            vec!["model.layers"],
            vec!["model.bias"],
            vec!["model.width"],
        ]
    );
    let mut chosen = Assignment::from([("model.name".to_owned(), ParamValue::Choice(0))]);
    assert!(space.is_active(&space.groups()[1], &chosen));
    assert!(!space.is_active(&space.groups()[3], &chosen));
    chosen.insert("model.layers".to_owned(), ParamValue::Int(4));
    assert!(space.is_active(&space.groups()[3], &chosen));
    chosen.insert("model.name".to_owned(), ParamValue::Choice(1));
    assert!(!space.is_active(&space.groups()[3], &chosen) && space.is_active(&space.groups()[2], &chosen));
}

#[test]
fn choices_are_the_recipes_values_and_texts_to_optuna() {
    let space = parse(WHOLE).unwrap();
    let transforms = space.parameter("augment.transforms").unwrap();
    let Distribution::Categorical { choices } = &*transforms.distribution else { panic!() };
    assert_eq!(choices[1], Choice::Text("[\"horizontal_flip\"]".into()));
    assert_eq!(choices[2], Choice::Text("[{\"rotate\":{\"p\":0.5}}]".into()));
    let setting = transforms.setting(ParamValue::Choice(2));
    assert!(setting.is_array());
    assert_eq!(transforms.value_of(&setting), Some(ParamValue::Choice(2)));
    let chosen = Assignment::from([
        ("model.dropout".to_owned(), ParamValue::Float(0.5)),
        ("optimizer.lr".to_owned(), ParamValue::Float(1e-3)),
    ]);
    let settings = space.settings(&chosen);
    assert_eq!(settings[0], ("optimizer.lr".to_owned(), Value::Float(1e-3)));
    assert_eq!(space.params(&chosen)["model.dropout"].external(), Choice::Float(0.5));
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_its_key_and_what_to_type() {
    let text = r#"
extra = 1
[space]
a = 3
b = { }
c = { float = [1, 0] }
d = { float = [0, 1], log = true }
e = { float = [0, 1], step = 0.3 }
f = { int = [1, 6], step = 2 }
g = { int = [1.5, 3] }
h = { categorical = [] }
i = { categorical = [1, 2, 1] }
j = { categorical = [true, 1] }
k = { categorical = [nan] }
l = { int = [1, 2], float = [1, 2] }
m = { int = [1, 2], steps = 1 }
n = { float = [1, 2], log = true, step = 0.5 }
o = { int = [1, 2], when = { zzz = 1 } }
p = { int = [1, 2], when = { ok = "c" } }
ok = { categorical = ["a", "b"] }
q = { int = [1, 2], when = { r = 1 } }
r = { int = [1, 2], when = { q = 1 } }
s = { int = [1, 2], when = 3 }
t = { int = [1, 2], log = 1 }
u = { float = [0, inf] }
v = { categorical = [1, 2], log = true }
w = { float = [0, 1] }
x = { int = [1, 2], when = { w = 0.5 } }
y = { int = [1, 2], when = { ok = [] } }
z = { categorical = [2020-01-01] }
"#;
    let told = parse(text).unwrap_err().to_string();
    for expected in [
        "s.toml, extra: a space file has only the section [space]",
        "s.toml, space.\"a\": expected a range such as { float",
        "space.\"b\": it has no range",
        "space.\"c\": the range [1, 0] is the wrong way round; write float = [0, 1]",
        "space.\"d\": log needs a range above 0; it begins at 0.0",
        "space.\"e\": 1.0 is no whole number of steps of 0.3 above 0.0; write 0.9 or 1.2",
        "space.\"f\": 6 is no whole number of steps of 2 above 1; write 5 or 7",
        "space.\"g\": expected the lowest and the highest whole number",
        "space.\"h\": expected a list of choices",
        "space.\"i\": the choice 1 stands here twice",
        "space.\"j\": the choice 1 and true are one choice to Optuna",
        "space.\"k\": NaN cannot be tried",
        "space.\"l\": it has 2 ranges, float and int; leave one",
        "space.\"m\": a range has no `steps`",
        "space.\"n\": log and step exclude each other",
        "space.\"o\": its `when` names `zzz`, which is no parameter of this space",
        "space.\"p\": its `when` asks for `ok` = \"c\", which it never has (\"a\", \"b\")",
        "space.\"q\": its `when` leads back to itself (q -> r -> q)",
        "space.\"s\": expected when = {",
        "space.\"t\": expected log = true or false",
        "space.\"u\": expected the lowest and the highest finite number",
        "space.\"v\": categorical choices have no order, so no log",
        "space.\"x\": its `when` asks for values of `w`, which may be any number",
        "space.\"y\": its `when` asks for none of the values of `ok`",
        "space.\"z\": 2020-01-01 is a time",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
    // One line each, and none for what is right.
    assert_eq!(told.lines().count(), 25, "{told}");
}

#[test]
fn an_empty_space_conditions_that_never_hold_and_text_that_is_no_toml_are_told() {
    for text in ["", "[space]\n"] {
        assert!(parse(text).unwrap_err().to_string().starts_with("s.toml: the space is empty"));
    }
    assert!(parse("[space]\n= 3").unwrap_err().to_string().starts_with("s.toml:2: not TOML"));
    let told = parse(
        "[space]\na = { int = [1, 2] }\nb = { int = [1, 2], when = { a = 1 } }\nc = { int = [1, 2], when = { a = 2, b = 1 } }\n",
    )
    .unwrap_err();
    assert!(told.to_string().contains("space.\"c\": its conditions can never hold together"), "{told}");
    assert_eq!(told.0.len(), 1);
}

#[test]
fn the_caller_checks_values_together_with_what_they_depend_on() {
    let space = parse(WHOLE).unwrap();
    let mut asked = Vec::new();
    let told = space
        .check(Path::new("s.toml"), |settings| {
            asked.push(settings.to_vec());
            match settings.last() {
                Some((key, _)) if key == "model.dropout" => Err("a recipe has no such key".to_owned()),
                _ => Ok(()),
            }
        })
        .unwrap_err();
    assert_eq!(told.to_string(), "s.toml, space.\"model.dropout\": a recipe has no such key");
    let width: Vec<_> = asked.iter().filter(|settings| settings.last().unwrap().0 == "model.width").collect();
    assert_eq!(width.len(), 2);
    let keys: Vec<&str> = width[0].iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["model.layers", "model.name", "model.width"]);
    assert_eq!(width[0][0].1, Value::Integer(4));
}

#[test]
fn a_study_with_another_kind_of_range_is_refused() {
    let space = parse("[space]\na = { int = [1, 9] }\nb = { categorical = [1, 2] }\n").unwrap();
    let mut trial = Trial::new(7, crate::State::Complete);
    let int = Distribution::Int { low: 0, high: 3, log: false, step: 1 };
    trial.params.insert("a".into(), Param { distribution: Arc::new(int.clone()), value: ParamValue::Int(1) });
    assert_eq!(space.check_trials(Path::new("s.toml"), &[trial.clone()]), Ok(()));
    trial.params.insert("b".into(), Param { distribution: Arc::new(int), value: ParamValue::Int(1) });
    let told = space.check_trials(Path::new("s.toml"), &[trial]).unwrap_err().to_string();
    assert!(told.contains("s.toml, space.\"b\": trial 7 of the study has another kind of range"), "{told}");
}

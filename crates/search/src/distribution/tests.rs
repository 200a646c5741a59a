use super::*;

#[test]
fn optunas_json_is_read_and_written_as_optuna_writes_it() {
    // What optuna 4.9.0's distribution_to_json gives, without the blanks between.
    for text in [
        r#"{"name":"FloatDistribution","attributes":{"step":null,"low":0.0001,"high":0.01,"log":true}}"#,
        r#"{"name":"FloatDistribution","attributes":{"step":0.1,"low":0.0,"high":1.0,"log":false}}"#,
        r#"{"name":"IntDistribution","attributes":{"log":false,"step":1,"low":1,"high":5}}"#,
        r#"{"name":"CategoricalDistribution","attributes":{"choices":[null,true,3,1.5,"aé"]}}"#,
    ] {
        assert_eq!(Distribution::from_json(text).unwrap().to_json().to_string(), text);
    }
}

#[test]
fn other_json_is_refused_with_what_is_wrong() {
    for (text, expected) in [
        ("{", "EOF"),
        (r#"{"name":"UniformDistribution","attributes":{"low":0,"high":1}}"#, "UniformDistribution"),
        (r#"{"name":"FloatDistribution","attributes":{"low":0}}"#, "no number `high`"),
        (r#"{"name":"IntDistribution","attributes":{"low":0.5,"high":1}}"#, "no whole number `low`"),
        (r#"{"name":"IntDistribution","attributes":{"low":3,"high":1}}"#, "impossible range"),
        (r#"{"name":"FloatDistribution","attributes":{"low":0,"high":1,"log":true}}"#, "impossible range"),
        (r#"{"name":"CategoricalDistribution","attributes":{"choices":[]}}"#, "no `choices`"),
    ] {
        let told = Distribution::from_json(text).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn quantiles_reach_every_value_and_no_other() {
    let float = Distribution::Float { low: 0.0, high: 1.0, log: false, step: Some(0.1) };
    assert_eq!(float.count(), Some(11));
    let int = Distribution::Int { low: 1, high: 9, log: false, step: 4 };
    let log = Distribution::Int { low: 1, high: 4, log: true, step: 1 };
    let choice = Distribution::Categorical { choices: vec![Choice::Null, Choice::Int(2)] };
    for (distribution, values) in [(float, 11), (int, 3), (log, 4), (choice, 2)] {
        let mut seen: Vec<f64> =
            (0..1000).map(|i| distribution.quantile(f64::from(i) / 1000.0)).map(|v| v.internal()).collect();
        seen.dedup();
        assert_eq!(seen.len(), values, "{distribution:?}");
        assert!(seen.iter().all(|&x| distribution.from_internal(x).is_some()), "{seen:?}");
        for nth in 0..values as u64 {
            assert_eq!(distribution.place(distribution.nth(nth)), Some(nth));
        }
    }
    let log = Distribution::Float { low: 1e-4, high: 1e-2, log: true, step: None };
    let ParamValue::Float(middle) = log.quantile(0.5) else { panic!() };
    assert!((middle - 1e-3).abs() < 1e-15, "{middle}");
    assert_eq!(log.count(), None);
}

#[test]
fn cells_are_the_draws_that_give_a_value() {
    for distribution in [
        Distribution::Float { low: 1e-3, high: 1.0, log: true, step: None },
        Distribution::Float { low: -1.0, high: 1.0, log: false, step: Some(0.25) },
        Distribution::Int { low: -3, high: 5, log: false, step: 2 },
        Distribution::Int { low: 1, high: 30, log: true, step: 1 },
    ] {
        for i in 0..200 {
            let unit = f64::from(i) / 200.0;
            let cell = distribution.unit_cell(distribution.quantile(unit)).unwrap();
            assert!(
                cell.low - 1e-12 <= unit && unit <= cell.high + 1e-12,
                "{distribution:?} {unit} {cell:?}"
            );
            assert!(cell.low <= cell.at && cell.at <= cell.high && (-1e-12..=1.0 + 1e-12).contains(&cell.at));
        }
    }
}

#[test]
fn values_go_to_python_and_back() {
    let choices = vec![Choice::Text("a".into()), Choice::Bool(true), Choice::Float(2.5)];
    let categorical = Distribution::Categorical { choices };
    for place in 0..3 {
        let value = ParamValue::Choice(place);
        assert_eq!(categorical.from_external(&categorical.external(value)), Some(value));
    }
    assert_eq!(categorical.from_external(&Choice::Int(1)), Some(ParamValue::Choice(1)));
    assert_eq!(categorical.from_internal(3.0), None);
    let int = Distribution::Int { low: 2, high: 8, log: false, step: 3 };
    assert_eq!(int.from_external(&Choice::Float(5.0)), Some(ParamValue::Int(5)));
    assert_eq!(int.from_external(&Choice::Int(4)), None);
}

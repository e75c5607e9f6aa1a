//! The laws of `docs/design.md` for tables of views, held to random views.

mod support {
    pub mod budget;
    pub mod naive;
    pub mod outcomes;
    pub mod random;
    pub mod views;
}

use proptest::prelude::*;
use support::budget;
use support::outcomes::RandomTables;
use support::random::{Dice, cases};
use support::views::{C, Make, RandomView, kinds, reading, table};
use surprisal::{Detector, EncodeError, Nats, Reading, ViewTable};

/// All rows of outcomes of columns with these numbers of outcomes.
fn rows(outcomes: &[u16]) -> impl Iterator<Item = Vec<u8>> {
    let count = outcomes.iter().map(|&outcomes| u32::from(outcomes)).product::<u32>();
    (0..count).map(move |mut number| {
        let mut digit = |&outcomes: &u16| {
            let digit = number % u32::from(outcomes);
            number /= u32::from(outcomes);
            digit as u8
        };
        outcomes.iter().map(&mut digit).collect()
    })
}

fn row(kinds: &[i64], dice: &mut Dice) -> Vec<Reading> {
    kinds.iter().map(|&kind| reading(kind, dice)).collect()
}

/// A detector with a random temperature.
fn detector(dice: &mut Dice) -> Detector<'static> {
    Detector { log2_temperature: dice.between(0, 4) as u32, ..Detector::OFF }
}

/// Compares a table with the definitions, for readings of these kinds.
fn equals_the_definition<const V: usize>(views: &[RandomView; V], kinds: &[i64], dice: &mut Dice) {
    let table = table(views, detector(dice));
    let temperature = f64::from(1u32 << table.detector.log2_temperature);
    for _ in 0..8 {
        let row = row(kinds, dice);
        let naive: Option<Vec<_>> = views.iter().map(|view| view.score(&row, temperature)).collect();
        let Some(naive) = naive else {
            assert!(matches!(table.score(&row), Err(EncodeError::WrongType { .. })));
            continue;
        };
        let score = table.score(&row).expect("the row fits");
        let regime = views.iter().find(|view| !view.prototypes.0.is_empty()).map(|view| {
            let (index, distance) = view.nearest(&row);
            (index, distance > f64::from(view.reach), distance)
        });
        let view = table.views.iter().find(|view| view.prototypes.count() > 0);
        let distance = || view.map_or(0.0, |view| view.distance::<12>(&row).into());
        let found = table.regime(&row);
        assert_eq!(found.map(|found| (found.index.into(), found.is_far, distance())), regime);
        assert_eq!(score.regime, found);
        assert_eq!(Some(score.missing), naive.iter().map(|view| view.missing).max());
        if score.nats == Nats::IMPOSSIBLE {
            assert!(score.missing > 0 && score.anomaly == Nats::IMPOSSIBLE);
            continue;
        }
        let mean = naive.iter().map(|view| (-view.nats).exp()).sum::<f64>() / V as f64;
        let smallest = naive.iter().map(|view| view.nats).fold(f64::INFINITY, f64::min);
        // Far beyond the range of `exp` the mean is that of the densest view.
        let nats = if mean > 0.0 { -mean.ln() } else { smallest + (V as f64).ln() };
        let [tails, numbers] = [naive.iter().map(|view| view.tails).sum(), naive.iter().map(|view| view.numbers).sum()];
        let limit = budget::view_nats(V, row.len() + V, tails);
        assert!((f64::from(score.nats) - nats).abs() <= limit, "{row:?}: {} and {nats}", score.nats);
        let anomaly: f64 = naive.iter().map(|view| view.anomaly).sum();
        let limit = budget::soft_maximum(V, temperature, numbers, tails);
        assert!((f64::from(score.anomaly) - anomaly).abs() <= limit, "{row:?}: {} and {anomaly}", score.anomaly);
    }
}

/// Checks what must hold for all operations on a row.
fn operations_agree<const V: usize>(table: &ViewTable<C, V>, row: &[Reading]) {
    let score = match table.score(row) {
        Ok(score) => score,
        Err(error) => {
            assert_eq!(table.surprisal(row), Err(error));
            assert_eq!(table.explain(row, &mut [Nats::ZERO; C]), Err(error));
            assert_eq!(table.blame(&mut row.to_vec()), Err(error));
            return;
        }
    };
    // Of a row without any reading nothing is known.
    if score.nats == Nats::IMPOSSIBLE {
        return assert!(score.missing > 0);
    }
    assert_eq!(table.surprisal(row), Ok(score.nats));
    let mut each = [Nats::IMPOSSIBLE; C];
    assert_eq!(table.explain(row, &mut each), Ok(score.nats));
    assert_eq!(each.into_iter().sum::<Nats>(), score.nats);
    assert!(score.nats < Nats::IMPOSSIBLE && score.anomaly < Nats::IMPOSSIBLE);
    let mut given = row.to_vec();
    let blame = table.blame(&mut given).expect("the row fits");
    // NaN is not equal to itself.
    assert_eq!(format!("{given:?}"), format!("{row:?}"));
    assert_eq!(blame.before, score.anomaly);
    assert!(blame.runner_up.is_none_or(|(column, nats)| (blame.anomaly, blame.column) < (nats, column)));
    if blame.expected != Reading::Missing {
        given[usize::from(blame.column)] = blame.expected;
        assert_eq!(table.score(&given).expect("the expected value fits").anomaly, blame.anomaly);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn probabilities_add_up_to_one(outcomes in prop::collection::vec(1u16..=5, 1..=4), seed: u64) {
        let random = RandomTables::new(&outcomes, false, &mut Dice(seed));
        let tables = random.tables();
        let (mut sum, mut nats) = (0u128, 0.0);
        for row in rows(&outcomes) {
            let (mut walk, mut product) = (tables.walk(), 1);
            for &outcome in &row {
                product *= u128::from(walk.next(&row).flatten().expect("no column is observed").mass(outcome));
            }
            assert!(walk.next(&row).is_none());
            sum += product;
            nats += (-f64::from(tables.surprisal(&row))).exp();
        }
        prop_assert_eq!(sum, 65536u128.pow(outcomes.len() as u32));
        prop_assert!((nats - 1.0).abs() <= outcomes.len() as f64 * budget::NATS_OF_A_MASS);
    }

    #[test]
    fn probabilities_of_readings_add_up_to_one(seed: u64, count in 1usize..=3) {
        let mut dice = Dice(seed);
        let kinds = kinds(count, true, &mut dice);
        let mut views = [(); 2].map(|()| RandomView::new(&kinds, Make::Discrete, &mut dice));
        // Both views know the same readings.
        let outcomes: Vec<u16> = views[0].columns.iter().map(|column| column.outcomes() as u16).collect();
        views[1] = RandomView { tables: RandomTables::new(&outcomes, false, &mut dice), ..views[0].clone() };
        let [first, _] = &views;
        let sum = |nats: &dyn Fn(&[Reading]) -> Nats| -> f64 {
            rows(&outcomes).map(|row| (-f64::from(nats(&first.readings(&row)))).exp()).sum()
        };
        let alone = [first.clone()];
        let (one, two) = (table(&alone, Detector::OFF), table(&views, Detector::OFF));
        let one = sum(&|readings| one.surprisal(readings).expect("the row fits"));
        let two = sum(&|readings| two.surprisal(readings).expect("the row fits"));
        prop_assert!((one - 1.0).abs() <= budget::view_nats(1, count, 0), "{}", one);
        prop_assert!((two - 1.0).abs() <= budget::view_nats(2, count, 0), "{}", two);
    }

    #[test]
    fn sampling_frequencies_are_masses(outcomes in 1u16..=256, seed: u64) {
        let random = RandomTables::new(&[outcomes], false, &mut Dice(seed));
        let tables = random.tables();
        let masses = tables.walk().next(&[0]).flatten().expect("the column is scored");
        let (mut drawn, mut likeliest) = ([0; 256], 0);
        for coin in 0..=u16::MAX {
            let mut row = [0];
            tables.sample(&mut row, || coin);
            drawn[usize::from(row[0])] += 1;
        }
        prop_assert_eq!(masses.outcomes(), usize::from(outcomes));
        for outcome in 0..outcomes {
            prop_assert_eq!(masses.mass(outcome as u8), drawn[usize::from(outcome)]);
            likeliest = likeliest.max(drawn[usize::from(outcome)]);
        }
        prop_assert_eq!(masses.mass(masses.mode()), likeliest);
        prop_assert!(drawn[..usize::from(masses.mode())].iter().all(|&smaller| smaller < likeliest));
    }

    #[test]
    fn samples_have_finite_scores(seed: u64, count in 1usize..C) {
        let mut dice = Dice(seed);
        let kinds = kinds(count, false, &mut dice);
        let random = [RandomView::new(&kinds, Make::Readings, &mut dice)];
        let table = table(&random, detector(&mut dice));
        for _ in 0..8 {
            let (mut row, mut again) = ([0; C], [0; C]);
            table.views[0].tables.sample(&mut row, || dice.coin());
            let readings = random[0].readings(&row);
            table.views[0].encode(&readings, &mut again).expect("the sample fits");
            prop_assert_eq!(row, again);
            operations_agree(&table, &readings);
        }
    }

    #[test]
    fn scores_equal_their_definition(seed: u64, count in 1usize..C) {
        let mut dice = Dice(seed);
        let kinds = kinds(count, false, &mut dice);
        let [first, second] = [Make::Readings, Make::Residuals].map(|make| RandomView::new(&kinds, make, &mut dice));
        equals_the_definition(std::array::from_ref(&first), &kinds, &mut dice);
        equals_the_definition(std::array::from_ref(&second), &kinds, &mut dice);
        equals_the_definition(&[first, second], &kinds, &mut dice);
    }

    #[test]
    fn operations_agree_on_any_row(seed: u64, count in 1usize..C) {
        let mut dice = Dice(seed);
        let kinds = kinds(count, false, &mut dice);
        let views = [Make::Readings, Make::Residuals].map(|make| RandomView::new(&kinds, make, &mut dice));
        let [first, second] = views.clone();
        let (one, two, both) = ([first], [second], views);
        let detector = detector(&mut dice);
        for _ in 0..4 {
            let row = row(&kinds, &mut dice);
            operations_agree(&table(&one, detector), &row);
            operations_agree(&table(&two, detector), &row);
            operations_agree(&table(&both, detector), &row);
        }
        let short = vec![Reading::Integer(0); count - 1];
        prop_assert!(table(&both, detector).score(&short).is_err());
    }
}

/// The surprisal of every mass is within its documented distance of the logarithm, and falls as the mass grows.
#[test]
fn surprisals_of_masses_are_logarithms() {
    let (mut worst, mut last) = (0.0, Nats::IMPOSSIBLE);
    for mass in 1..=65536 {
        let nats = Nats::of_mass(mass);
        worst = f64::max(worst, (f64::from(nats) + (f64::from(mass) / 65536.0).ln()).abs());
        assert!(nats <= last);
        last = nats;
    }
    assert!(worst <= budget::NATS_OF_A_MASS, "{}", worst * 65536.0);
    assert_eq!([Nats::of_mass(0), Nats::of_mass(u32::MAX)], [Nats::RAREST, Nats::ZERO]);
}

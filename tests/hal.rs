//! Pins, verdicts and the loop between, on mocks.

use core::convert::Infallible;
use core::ops::ControlFlow;
use embedded_hal_mock::eh1::MockError;
use embedded_hal_mock::eh1::delay::{CheckedDelay, NoopDelay, Transaction as Pause};
use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
use surprisal::{AlarmRule, Detector, EncodeError, Nats, Reading, RowScore, Watch, WatchError, flags};

/// Rows above five nats are anomalous.
const DETECTOR: Detector = Detector { threshold: Nats::from_raw(5 << 16), rows: 99, ..Detector::OFF };

/// A row's only reading is its score in nats; a negative one does not fit its column.
fn score(row: &i32) -> Result<Option<RowScore>, EncodeError> {
    let nats = u32::try_from(*row).map_err(|_| EncodeError::UnexpectedMissing { column: 0 })?;
    let total = Nats::from_raw(nats << 16);
    Ok((nats != 0).then(|| RowScore::of(&DETECTOR, &[(0, total)])))
}

fn pin(states: &[State]) -> Mock {
    Mock::new(&states.iter().copied().map(Transaction::set).collect::<Vec<_>>())
}

#[test]
fn flags_equal_the_pins_up_to_the_first_that_fails() {
    let broken = MockError::Io(std::io::ErrorKind::NotConnected);
    let get = Transaction::get;
    let mut pins = [
        Mock::new(&[get(State::High), get(State::Low)]),
        Mock::new(&[get(State::Low), get(State::Low).with_error(broken.clone())]),
        Mock::new(&[get(State::High)]),
    ];
    assert_eq!(flags(&mut pins), Ok([1, 0, 1].map(Reading::Integer)));
    assert_eq!(flags(&mut pins), Err(broken));
    pins.iter_mut().for_each(Mock::done);
}

#[test]
fn the_pin_follows_the_verdicts() {
    use State::{High, Low};
    // Zero ends no window: nothing is said, and the pin is left as it is.
    let rows = [4, 6, 0, 5, -1, 1];
    let alarm = pin(&[Low, Low, High, Low, High, Low]);
    let mut delay = CheckedDelay::new(&vec![Pause::delay_ms(20); 5]);
    let mut watch = Watch::new(&DETECTOR, alarm).unwrap();
    let (mut left, mut told) = (rows.iter(), Vec::new());
    let last = watch.run(
        &mut delay,
        20,
        || left.next().copied().ok_or("no more rows"),
        score,
        |watched| {
            told.push((*watched.row, watched.report.verdict.is_anomalous(), watched.score.is_ok()));
            if told.len() == 5 { ControlFlow::Break(watched.report.score) } else { ControlFlow::Continue(()) }
        },
    );
    assert_eq!(last, Ok(Nats::from_raw(1 << 16)));
    assert_eq!(told, [(4, false, true), (6, true, true), (5, false, true), (-1, true, false), (1, false, true)]);
    assert_eq!(watch.monitor.push(&DETECTOR, &RowScore::default()).drift.rows, 6, "five rows and this one");
    watch.release().done();
    delay.done();
}

/// With a rule of two of three rows, the pin goes high at the second anomalous row and low when one of three is left.
#[test]
fn the_pin_follows_the_rule() {
    let detector = Detector { threshold: Nats::from_raw(9), ..Detector::OFF };
    let states = [State::Low, State::Low, State::High, State::High, State::Low];
    let mut alarm = pin(&states);
    let mut watch = Watch::new(&detector, alarm.clone()).unwrap();
    watch.monitor.rule = AlarmRule { votes: 2, of: 3, hold_off: 9 };
    for nats in [10, 10, 9, 9] {
        watch.judge(Ok(RowScore::of(&detector, &[(0, Nats::from_raw(nats))]))).unwrap();
    }
    alarm.done();
}

#[test]
fn an_unreadable_machine_raises_the_alarm() {
    let mut alarm = pin(&[State::Low, State::High]);
    let mut watch = Watch::new(&DETECTOR, alarm.clone()).unwrap();
    let ended =
        watch.run::<i32, _, Infallible>(&mut NoopDelay::new(), 1, || Err("no answer"), score, |_| unreachable!());
    assert!(matches!(ended, Err(WatchError::Read("no answer"))));
    assert!(ended.unwrap_err().to_string().contains("no answer"));
    alarm.done();
}

#[test]
fn a_pin_that_cannot_be_set_is_an_error_of_its_own() {
    let broken = MockError::Io(std::io::ErrorKind::NotConnected);
    let mut dead = Mock::new(&[Transaction::set(State::Low).with_error(broken.clone())]);
    assert_eq!(Watch::new(&DETECTOR, dead.clone()).err(), Some(broken.clone()));
    dead.done();
    let mut alarm =
        Mock::new(&[Transaction::set(State::Low), Transaction::set(State::High).with_error(broken.clone())]);
    let mut watch = Watch::new(&DETECTOR, alarm.clone()).unwrap();
    let ended = watch.run::<_, Infallible, Infallible>(&mut NoopDelay::new(), 1, || Ok(6), score, |_| unreachable!());
    assert_eq!(ended.unwrap_err(), WatchError::Alarm(broken));
    alarm.done();
}

//! A simulated tank that a pump fills, in integers, so that every machine computes the same rows.
#![allow(dead_code, reason = "each program uses a part")]

/// The names of the readings: six numbers, a flag, and one of the [`MODES`].
pub const CHANNELS: [&str; 8] = ["speed", "flow", "level", "pressure", "temperature", "current", "valve", "mode"];
/// The modes of the pump, by code.
pub const MODES: [&str; 3] = ["drain", "fill", "hold"];
/// The window of the golden time series, in rows.
pub const WINDOW: usize = 10;
/// The number of rows to which the golden table is fitted, in four sessions.
pub const FITTED: usize = 4000;
/// The number of later rows, which are the golden time series.
pub const HEARD: usize = 180;
/// The rows of the golden time series in which the tank leaks.
pub const LEAK: core::ops::Range<usize> = 100..120;
/// The first row of the golden time series after a gap. The temperature is missing in it.
pub const GAP: usize = 148;

/// The readings of a row, one row per second. Readings may be missing.
pub type Row = [Option<i32>; CHANNELS.len()];

/// Yields the rows of the golden time series.
pub fn heard() -> impl Iterator<Item = Row> {
    rows().skip(FITTED).take(HEARD)
}

/// Yields all rows. The speed of the pump follows the mode, the flow follows the speed, and the level follows the flow. A
/// valve opens when the tank is full, and closes when it is nearly empty.
pub fn rows() -> impl Iterator<Item = Row> {
    let mut seed = 1_u32;
    let mut noise = move |wide: i32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as i32 % (2 * wide + 1) - wide
    };
    let (mut mode, mut speed, mut flow, mut level, mut valve, mut heat) = (0, 0, 0, 4000, 0, 0);
    (0_usize..).map(move |t| {
        mode = if noise(40) == 0 { (mode + 1) % 3 } else { mode };
        valve = if level > 6000 { 1 } else { valve * i32::from(level > 3000) };
        speed += ([0, 1200, 600][mode as usize] - speed) / 8 + noise(12);
        flow += (speed / 4 - flow) / 2 + noise(5);
        let leaks = t >= FITTED && LEAK.contains(&(t - FITTED));
        level += flow / 4 - 60 * valve - 150 * i32::from(leaks) + noise(4);
        heat += speed / 4 - heat / 64;
        let pressure = level / 8 + flow / 2 + noise(6);
        let temperature = heat / 64 + noise(3);
        let current = speed / 3 + pressure / 4 + noise(8);
        let read = (t % 61 != 0).then_some(temperature);
        [Some(speed), Some(flow), Some(level), Some(pressure), read, Some(current), Some(valve), Some(mode)]
    })
}

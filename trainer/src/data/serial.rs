//! Lines of a serial port's log: time stamps of the Arduino IDE, and the names and values of its plotter.

/// Returns a line without the time stamp that the Arduino IDE and other monitors put before it, for example
/// `12:01:00.250 -> `.
pub(crate) fn after_stamp(line: &str) -> &str {
    let is_clock =
        |text: &str| text.contains(':') && text.bytes().all(|byte| byte.is_ascii_digit() || b":.,-/ T".contains(&byte));
    match line.split_once(" -> ") {
        Some((time, rest)) if is_clock(time.trim()) => rest,
        _ => line,
    }
}

/// Returns the names and values of a line such as `temp:22,press:108`, which the Arduino IDE plots, or `None` for any
/// other line.
pub(crate) fn plotted<'t>(line: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
    let pair = |text: &'t str| {
        let (name, value) = text.split_once(':')?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let is_value = value.parse::<f64>().is_ok() || super::is_missing(value) && !value.is_empty();
        (is_name && is_value).then_some((name, value))
    };
    // The plotter takes commas, tabs and spaces between pairs, and a space after a colon.
    let all = |texts: Vec<&'t str>| -> Option<Vec<(&'t str, &'t str)>> {
        let texts = texts.into_iter().filter(|text| !text.trim().is_empty());
        texts.map(pair).collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty())
    };
    let line = line.trim();
    all(line.split([',', '\t', ';']).collect()).or_else(|| all(line.split_whitespace().collect()))
}

/// Returns whether a line is of a serial port's log, which `surprisal collect` converts.
pub(crate) fn is_log(line: &str) -> bool {
    line.contains("surprisal: ") || after_stamp(line).len() < line.len() || plotted(line).is_some()
}

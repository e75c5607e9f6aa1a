//! `surprisal compress` and `surprisal decompress`: rows to packets and back.

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::counted::counted;
use surprisal_trainer::recalibrate;
use surprisal_trainer::telemetry::{self, PacketSize};

use crate::answer::Answer;
use crate::args::{CompressArgs, DecompressArgs};
use crate::observer::Progress;
use crate::terminal::note;

/// Compresses a file of rows.
pub fn compress(args: &CompressArgs, progress: &Progress) -> Result<Answer> {
    let artefact = recalibrate::read(&args.model)?;
    let size = PacketSize { rows: args.packet.into(), bytes: args.bytes.into() };
    let (inputs, options) = ([args.model.as_path(), &args.data], args.reading.options());
    let done = telemetry::compress(&artefact, &args.data, &args.output, &options, size, &inputs, progress)?;
    progress.clear();
    if !done.left_out.is_empty() {
        note(format_args!("left out, because the model does not have them: {}", done.left_out.join(", ")));
    }
    let percent = 100.0 * done.file_bytes as f64 / done.text_bytes.max(1) as f64;
    let text = format!(
        "{}: {} in {}, {} bytes: {percent:.1} % of their text, {:.2} bytes per row in packets\n{}",
        args.output.display(),
        counted(done.rows, "row"),
        counted(done.packets, "packet"),
        done.file_bytes,
        done.packet_bytes as f64 / done.rows as f64,
        if done.texts == 0 { String::new() } else { format!("  {} as text\n", counted(done.texts, "cell")) },
    );
    let value = json!({
        "output": args.output, "rows": done.rows, "packets": done.packets, "text_bytes": done.text_bytes,
        "packet_bytes": done.packet_bytes, "file_bytes": done.file_bytes, "texts": done.texts, "left_out": done.left_out,
    });
    Ok(Answer { text, value })
}

/// Decompresses packets, and fails at the end if some are damaged.
pub fn decompress(args: &DecompressArgs, progress: &Progress) -> Result<Answer> {
    let artefact = recalibrate::read(&args.model)?;
    let inputs = [args.model.as_path(), &args.packets];
    let done = telemetry::decompress(&artefact, &args.packets, &args.output, &args.decimals, &inputs, progress)?;
    progress.clear();
    let output = args.output.display();
    if let Some((at, length)) = done.damages.first() {
        let places = done.damages.len();
        let lost: u64 = done.damages.iter().map(|(_, length)| length).sum();
        let more =
            if places > 1 { format!(", the first of {places} places; {lost} bytes together") } else { String::new() };
        bail!(
            "{}: {} from byte {at} on do not belong to a packet of this model{more}: damaged, cut short, or of another table; the \
             {} of all other packets are in {output}",
            args.packets.display(),
            counted(*length as usize, "byte"),
            counted(done.rows, "row"),
        );
    }
    if done.has_header && done.whole != Some(done.rows) {
        let whole = done
            .whole
            .map_or("its end is missing".into(), |rows| format!("it held {} when it was whole", counted(rows, "row")));
        bail!(
            "{}: packets are missing, twice, or cut off: {whole}; the {} that it has are in {output}; copy the file again",
            args.packets.display(),
            counted(done.rows, "row"),
        );
    }
    let text = format!("{output}: {} from {}\n", counted(done.rows, "row"), counted(done.packets, "packet"));
    let value = json!({ "output": args.output, "rows": done.rows, "packets": done.packets });
    Ok(Answer { text, value })
}

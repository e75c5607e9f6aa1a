//! `surprisal compress` and `surprisal decompress`: rows to packets and back.

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::counted::counted;
use surprisal_trainer::recalibrate;
use surprisal_trainer::telemetry::{self, Completeness, PacketSize};

use crate::answer::Answer;
use crate::args::{CompressArgs, DecompressArgs};
use crate::observer::Progress;
use crate::terminal::{note, remarks};

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
    remarks(&done.warnings);
    let decimals: Vec<String> = done.decimals.iter().map(u8::to_string).collect();
    let percent = 100.0 * done.file_bytes as f64 / done.text_bytes.max(1) as f64;
    let text = format!(
        "{}: {} in {}, {} bytes: {percent:.1} % of their text, {:.2} bytes per row in packets\n{}  \
         if the header is lost: decompress --decimals {}\n",
        args.output.display(),
        counted(done.rows, "row"),
        counted(done.packets, "packet"),
        done.file_bytes,
        done.packet_bytes as f64 / done.rows as f64,
        if done.texts == 0 { String::new() } else { format!("  {} as text\n", counted(done.texts, "cell")) },
        decimals.join(","),
    );
    let value = json!({
        "output": args.output, "rows": done.rows, "packets": done.packets, "text_bytes": done.text_bytes,
        "packet_bytes": done.packet_bytes, "file_bytes": done.file_bytes, "texts": done.texts, "decimals": done.decimals,
        "left_out": done.left_out, "warnings": done.warnings,
    });
    Ok(Answer { text, value })
}

/// Decompresses packets, and fails at the end if some are damaged.
pub fn decompress(args: &DecompressArgs, progress: &Progress) -> Result<Answer> {
    let artefact = recalibrate::read(&args.model)?;
    let inputs = [args.model.as_path(), &args.packets];
    let done = telemetry::decompress(&artefact, &args.packets, &args.output, &args.decimals, &inputs, progress)?;
    progress.clear();
    remarks(&done.warnings);
    let output = args.output.display();
    if let Some((at, length)) = done.damages.first() {
        let places = done.damages.len();
        let lost: u64 = done.damages.iter().map(|(_, length)| length).sum();
        let more =
            if places > 1 { format!(", the first of {places} places; {lost} bytes together") } else { String::new() };
        let held = |rows| format!(", of {} that the file held", counted(rows, "row"));
        let whole = match done.completeness {
            Completeness::Unknown => String::new(),
            Completeness::Whole => ", which are all that the file held".into(),
            Completeness::EndMissing => "; the end of the file is missing".into(),
            Completeness::FrontMissing { rows } => held(rows) + ", whose header is missing or damaged",
            Completeness::Changed { rows } => held(rows),
        };
        bail!(
            "{}: {} from byte {at} on do not belong to a packet of this model{more}: damaged, cut short, of another table, or \
             rows without their texts; the {} of all other packets are in {output}{whole}",
            args.packets.display(),
            counted(*length as usize, "byte"),
            counted(done.rows, "row"),
        );
    }
    let fault = match done.completeness {
        Completeness::Unknown | Completeness::Whole => None,
        Completeness::EndMissing => Some(("the end of the file is missing", None)),
        Completeness::FrontMissing { rows } => {
            Some(("the front of the file is missing, with its header and packets", Some(rows)))
        }
        Completeness::Changed { rows } => Some(("packets are missing, doubled, or in another order", Some(rows))),
    };
    if let Some((fault, rows)) = fault {
        let held =
            rows.map_or(String::new(), |rows| format!(", which held {} when it was whole", counted(rows, "row")));
        bail!(
            "{}: {fault}{held}; the {} that it has are in {output}; copy the file again",
            args.packets.display(),
            counted(done.rows, "row"),
        );
    }
    let text = format!("{output}: {} from {}\n", counted(done.rows, "row"), counted(done.packets, "packet"));
    let value = json!({ "output": args.output, "rows": done.rows, "packets": done.packets, "warnings": done.warnings });
    Ok(Answer { text, value })
}

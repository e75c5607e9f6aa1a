//! `surprisal keygen`, `sign` and `verify`: updates that a device accepts from their owner only.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::golden::fingerprint;
use surprisal_trainer::output::write_whole;
use surprisal_trainer::recalibrate;
use surprisal_trainer::signing::{OwnerKey, PrivateKey, Update};

use crate::answer::Answer;
use crate::args::{SignArgs, VerifyArgs};
use crate::terminal::{Lines, line};

pub fn keygen(output: &Path) -> Result<Answer> {
    let key = PrivateKey::generate();
    key.write_new(output)?;
    let public = key.public();
    let mut text = Lines::default();
    line!(text, "{}: a new private key; keep it secret, and keep a copy", output.display());
    line!(text, "public key: {}", public.hex());
    line!(text, "in firmware: const UPDATE_KEY: [u8; 32] = {:?};", public.bytes());
    let value = json!({ "output": output, "public_key": public.hex() });
    Ok(Answer { text: text.into_text(), value })
}

pub fn sign(SignArgs { model, key, release, like, output }: &SignArgs) -> Result<Answer> {
    let artefact = recalibrate::read(model)?;
    if let Some(old) = like {
        check_shape(model, &artefact, old)?;
    }
    let private = PrivateKey::read(key)?;
    let update = private.sign(artefact.table_bytes(), *release);
    let inputs: Vec<_> = [model, key].into_iter().chain(like).map(PathBuf::as_path).collect();
    write_whole(output, &update, &inputs)?;
    let public = private.public().hex();
    let fingerprint = fingerprint(&artefact.schema);
    let mut text = Lines::default();
    line!(
        text,
        "{}: release {release}, an update of {} bytes for rows with fingerprint {fingerprint}",
        output.display(),
        update.len()
    );
    line!(text, "  signed by {public}");
    let value = json!({
        "output": output,
        "release": release,
        "table_bytes": artefact.table_bytes().len(),
        "update_bytes": update.len(),
        "fingerprint": fingerprint.to_string(),
        "public_key": public,
    });
    Ok(Answer { text: text.into_text(), value })
}

pub fn verify(VerifyArgs { update: path, key, model }: &VerifyArgs) -> Result<Answer> {
    let shown = path.display();
    let update = Update::read(path)?;
    let owner = OwnerKey::read(key)?;
    if !update.is_signed_by(&owner) {
        bail!(
            "{shown}: the signature is not that of {}: sign the update with the private half of this key, or do not trust it",
            owner.hex()
        );
    }
    if let Some(model) = model
        && recalibrate::read(model)?.table_bytes() != update.table()
    {
        bail!("{shown}: holds another table than {}; sign that model", model.display());
    }
    let (release, table_bytes) = (update.release(), update.table().len());
    let mut text = Lines::default();
    line!(text, "{shown}: release {release}, a table of {table_bytes} bytes");
    line!(text, "  signed by {}", owner.hex());
    if let Some(model) = model {
        line!(text, "  it is the table of {}", model.display());
    }
    let value = json!({
        "release": release,
        "table_bytes": table_bytes,
        "public_key": owner.hex(),
    });
    Ok(Answer { text: text.into_text(), value })
}

/// Checks that firmware for the table of an old model takes the new one.
fn check_shape(model: &Path, new: &Artefact, old: &Path) -> Result<()> {
    let of = recalibrate::read(old)?;
    let (shown, old) = (model.display(), old.display());
    if fingerprint(&new.schema) != fingerprint(&of.schema) {
        bail!("{shown}: has other columns, kinds or codes than {old}; fit with --like {old}");
    }
    if !new.shape.fits(of.shape) {
        bail!(
            "{shown}: does not fit the capacities of firmware for {old}: {} in place of {}; fit with the options of {old}, or \
             flash a firmware that is compiled with this model",
            new.shape,
            of.shape
        );
    }
    Ok(())
}

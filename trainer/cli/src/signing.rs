//! `surprisal keygen`, `sign` and `verify`: updates that a device accepts from their owner only.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::golden::fingerprint;
use surprisal_trainer::output::write_whole;
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

pub fn sign(SignArgs { model, key, release, output }: &SignArgs) -> Result<Answer> {
    let artefact = Artefact::read(model)?;
    let private = PrivateKey::read(key)?;
    let update = private.sign(artefact.table_bytes(), *release);
    write_whole(output, &update, &[model, key])?;
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
        && Artefact::read(model)?.table_bytes() != update.table()
    {
        bail!("{shown}: holds another table than {}; sign that model", model.display());
    }
    let (release, fingerprint, table_bytes) = (update.release(), update.fingerprint(), update.table().len());
    let mut text = Lines::default();
    line!(text, "{shown}: release {release}, a table of {table_bytes} bytes for rows with fingerprint {fingerprint}");
    line!(text, "  signed by {}", owner.hex());
    if let Some(model) = model {
        line!(text, "  it is the table of {}", model.display());
    }
    let value = json!({
        "release": release,
        "table_bytes": table_bytes,
        "fingerprint": fingerprint.to_string(),
        "public_key": owner.hex(),
    });
    Ok(Answer { text: text.into_text(), value })
}

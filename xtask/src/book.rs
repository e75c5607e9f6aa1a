//! The book: the pages of `docs/` as a site, by mdBook, and a check of all its links.

use crate::copy::copy_folder;
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use xtask::setup::{self, root, succeed};

/// The site, relative to the folder of the repository; `docs/book.toml` names it too. It has the layout of the
/// repository, so that links from pages to files outside `docs/` work as they do there.
const SITE: &str = "target/site";

/// Builds the site, with the files outside `docs/` that its pages link to, and checks its links.
///
/// # Errors
/// mdBook fails, a page is not in `docs/SUMMARY.md`, or a link leads nowhere.
pub fn run() -> Result<()> {
    let mdbook = setup::mdbook()?;
    let site = root().join(SITE);
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    succeed(Command::new(mdbook).args(["build", "docs"]).current_dir(root()))?;
    for file in fs::read_dir(root().join("docs"))? {
        let name = PathBuf::from(file?.file_name());
        let is_page = name.extension().is_some_and(|extension| extension == "md") && name != Path::new("SUMMARY.md");
        let is_built = site.join("docs").join(name.with_extension("html")).exists();
        ensure!(is_built || !is_page, "docs/SUMMARY.md does not list {}", name.display());
    }
    let pages = pages(&site.join("docs"))?;
    for target in pages.iter().flat_map(|(path, page)| page.links.iter().map(|link| resolve(path, link).0)) {
        if let Ok(inside) = target.strip_prefix(&site)
            && !inside.starts_with("docs")
        {
            copy_linked(&root().join(inside), &target)?;
        }
    }
    let broken = broken_links(&pages);
    ensure!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    let links: usize = pages.values().map(|page| page.links.len()).sum();
    println!("{SITE}/docs/index.html: {} pages, {links} links, all of which lead somewhere", pages.len());
    Ok(())
}

/// The links and anchors of a page.
#[derive(Default)]
struct Page {
    /// Links to other files and anchors of the site, as they are written.
    links: BTreeSet<String>,
    anchors: BTreeSet<String>,
}

/// Reads the pages in a folder: `[path]`.
fn pages(dir: &Path) -> Result<BTreeMap<PathBuf, Page>> {
    let mut pages = BTreeMap::new();
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path)?;
            let mut page = Page::default();
            page.anchors.extend(values(&text, "id"));
            let links = ["href", "src"].into_iter().flat_map(|name| values(&text, name));
            page.links.extend(links.filter(|link| !link.contains(':') && !link.starts_with("//")));
            pages.insert(path, page);
        }
    }
    Ok(pages)
}

/// Returns the values of an attribute. In text, mdBook writes quotation marks as entities, so that all others are markup.
fn values(html: &str, name: &str) -> impl Iterator<Item = String> {
    let start = format!(" {name}=\"");
    let pieces: Vec<_> = html.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap_or_default()).collect();
    pieces.into_iter().map(|value| value.replace("&amp;", "&")).collect::<Vec<_>>().into_iter()
}

/// Returns the file that a link of a page leads to, and the anchor in it.
fn resolve<'l>(page: &Path, link: &'l str) -> (PathBuf, &'l str) {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    if file.is_empty() {
        return (page.to_owned(), anchor);
    }
    let mut target = page.parent().unwrap_or(page).to_owned();
    for component in Path::new(file).components() {
        match component {
            Component::ParentDir => drop(target.pop()),
            component => target.push(component),
        }
    }
    (target, anchor)
}

/// Returns a line for each link to a file that does not exist, or to an anchor that its page does not have.
fn broken_links(pages: &BTreeMap<PathBuf, Page>) -> Vec<String> {
    let leads_somewhere = |page: &Path, link: &str| {
        let (target, anchor) = resolve(page, link);
        let target = if target.is_dir() { target.join("index.html") } else { target };
        target.exists() && (anchor.is_empty() || pages.get(&target).is_none_or(|page| page.anchors.contains(anchor)))
    };
    let links = pages.iter().flat_map(|(path, page)| page.links.iter().map(move |link| (path, link)));
    let broken = links.filter(|(path, link)| !leads_somewhere(path, link));
    broken.map(|(path, link)| format!("{}: {link}", path.display())).collect()
}

/// Copies a file or folder of the repository. The page of a folder shows its README and links its files.
fn copy_linked(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        copy_folder(from, to)?;
        let escaped = |text: String| text.replace('&', "&amp;").replace('<', "&lt;");
        let mut names: Vec<String> =
            fs::read_dir(to)?.map(|file| Ok(file?.file_name().display().to_string())).collect::<Result<_>>()?;
        names.sort();
        let links = names.iter().map(|name| format!("<a href=\"{name}\">{name}</a>\n"));
        let readme = fs::read_to_string(from.join("README.md")).unwrap_or_default();
        let page =
            format!("<meta charset=\"utf-8\">\n<pre>\n{}\n{}</pre>\n", links.collect::<String>(), escaped(readme));
        fs::write(to.join("index.html"), page)?;
    } else if from.exists() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_links_are_found() -> Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("docs"))?;
        fs::write(dir.path().join("code.rs"), "")?;
        let start =
            "<a href=\"end.html#there\">, <a href=\"../code.rs\">, <a href=\"#here\">, <a href=\"https://a.b/c\">";
        let planted = "<a href=\"end.html#gone\">, <a href=\"gone.html\">, <a href=\"../gone.rs\">";
        fs::write(dir.path().join("docs/start.html"), format!("<h1 id=\"here\">{start}{planted} href=&quot;text"))?;
        fs::write(dir.path().join("docs/end.html"), "<h1 id=\"there\">")?;
        let broken = broken_links(&pages(&dir.path().join("docs"))?);
        let links: Vec<&str> = broken.iter().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(links, ["../gone.rs", "end.html#gone", "gone.html"]);
        Ok(())
    }
}

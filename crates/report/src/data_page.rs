//! The page of a data set that was inspected.

use crate::html::{Section, count, counted, escape, file_name, shortened_front, stacked, styled_page};
use crate::picture::{image_sprite, single};
use pupila_image::Image;
use std::fmt::Write as _;

/// Classes that have a color of their own on the map.
const COLORS: usize = 6;

/// A data set that was inspected.
#[derive(Debug, Default)]
pub struct DataPage {
    /// What it is called.
    pub title: String,
    /// What it is, in a sentence.
    pub subtitle: String,
    /// What matters most, in sentences.
    pub lead: Vec<String>,
    /// Names and values of what there is.
    pub facts: Vec<(String, String)>,
    /// The splits that it has.
    pub splits: Vec<String>,
    /// The classes, each with its images in `splits`.
    pub classes: Vec<(String, Vec<u64>)>,
    /// What a split or class is on average: name, images, brightness, contrast, sharpness.
    pub averages: Vec<(String, u64, [f64; 3])>,
    /// What was found, the worst first.
    pub findings: Vec<PageFinding>,
    /// Pictures of classes.
    pub galleries: Vec<PageGallery>,
    /// The map.
    pub points: Vec<MapPoint>,
    /// Whether the page is to have no picture.
    pub without_pictures: bool,
}

/// A finding.
#[derive(Debug, Default)]
pub struct PageFinding {
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// What was found.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// What is said of it in words.
    pub notes: Vec<String>,
    /// Images that belong together, some of them.
    pub groups: Vec<PageGroup>,
    /// How many groups are not shown.
    pub more: u64,
}

/// Images that belong together.
#[derive(Debug, Default)]
pub struct PageGroup {
    /// What ties them.
    pub note: String,
    /// The images.
    pub images: Vec<PageImage>,
}

/// An image.
#[derive(Debug, Default)]
pub struct PageImage {
    /// Its path.
    pub path: String,
    /// Its class and split, or what else is said of it.
    pub caption: String,
    /// What it shows, where it can be read.
    pub image: Option<Image>,
}

/// A class's pictures.
#[derive(Debug, Default)]
pub struct PageGallery {
    /// The class.
    pub class: String,
    /// How many images it has.
    pub images: u64,
    /// The pictures, the captions of which say why they are here.
    pub pictures: Vec<PageImage>,
}

/// An image on the map.
#[derive(Debug, Default)]
pub struct MapPoint {
    /// From the left and from the top, 0 to 1.
    pub place: (f64, f64),
    /// The place of its class among those of the page.
    pub class: usize,
    /// The place of its split among those of the page.
    pub split: usize,
    /// The image.
    pub image: PageImage,
}

const STYLE: &str = "
.finding { border-left: 4px solid var(--line); padding: .1rem 0 .1rem 1rem; margin: 0 0 1.6rem; }
.finding.is-error { border-color: var(--wrong); } .finding.is-warning { border-color: var(--c5); }
.finding h3 { margin: 0 0 .3rem; } .finding h3 i { font-style: normal; font-weight: 400; color: var(--muted); }
.finding p { margin-bottom: .5rem; }
.group { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: .6rem; margin: .5rem 0 .9rem; }
.group figure + figure { margin-top: 0; } .group .tile svg { outline: 1px solid var(--line); }
.map svg.space { width: 100%; height: auto; display: block; max-width: 52rem; overflow: visible; background: var(--soft); border-radius: 8px; }
.map .dot { stroke: var(--panel); stroke-width: .8; cursor: pointer; } .map .dot.other { fill: var(--muted); }
.map .dot.hollow { fill: var(--panel); stroke-width: 2.4; } .map .dot.other.hollow { stroke: var(--muted); }
.map .dot.s1 { stroke: var(--c1); } .map .dot.s2 { stroke: var(--c2); } .map .dot.s3 { stroke: var(--c3); }
.map .dot.s4 { stroke: var(--c4); } .map .dot.s5 { stroke: var(--c5); } .map .dot.s6 { stroke: var(--c6); }
.map .seen g { visibility: hidden; pointer-events: none; }
.map g:focus { outline: none; } .map g:focus .dot { stroke: var(--ink); stroke-width: 2; }
.map .seen rect { fill: var(--panel); stroke: var(--line); } .map .seen text { font-size: 13px; fill: var(--ink); }
";

impl DataPage {
    /// The page. It loads nothing and runs nothing.
    pub fn render(&self) -> String {
        let mut pictures = Pictures { definitions: String::new(), count: 0, none: self.without_pictures };
        let mut sections = vec![Section { id: "overview", title: "Overview", body: self.overview() }];
        let mut add = |id, title, body: String| {
            if !body.is_empty() {
                sections.push(Section { id, title, body });
            }
        };
        add("findings", "Findings", self.findings(&mut pictures));
        add("classes", "Classes", self.classes());
        add("map", "Map", self.map(&mut pictures));
        add("pictures", "Pictures of each class", self.galleries(&mut pictures));
        styled_page(&self.title, &self.subtitle, &sections, &pictures.definitions, STYLE)
    }

    fn overview(&self) -> String {
        let mut html = String::new();
        for (at, sentence) in self.lead.iter().enumerate() {
            let class = if at == 0 { " class=\"lead\"" } else { "" };
            let _ = writeln!(html, "<p{class}>{}</p>", escape(sentence));
        }
        html += "<table class=\"pairs\"><tbody>";
        for (name, value) in &self.facts {
            let _ =
                write!(html, "<tr><td>{}</td><td class=\"text\">{}</td></tr>", escape(name), escape(value));
        }
        html + "</tbody></table>\n"
    }

    fn findings(&self, pictures: &mut Pictures) -> String {
        if self.findings.is_empty() {
            return "<p>Nothing was found that could mislead.</p>\n".into();
        }
        let mut html = String::new();
        for finding in &self.findings {
            let _ = writeln!(
                html,
                "<div class=\"finding is-{0}\"><h3><i>{0}</i> {1}</h3><p>{2}</p>",
                finding.severity,
                escape(&finding.message),
                escape(&sentence(&finding.advice))
            );
            for note in &finding.notes {
                let _ = write!(html, "<p class=\"note\">{}</p>", escape(note));
            }
            let alone = finding.groups.iter().all(|group| group.images.len() == 1 && group.note.is_empty());
            if alone && !finding.groups.is_empty() {
                html += "<div class=\"group\">";
            }
            for group in &finding.groups {
                if !alone {
                    if !group.note.is_empty() {
                        let _ = write!(html, "<p class=\"note\">{}</p>", escape(&group.note));
                    }
                    html += "<div class=\"group\">";
                }
                for image in &group.images {
                    html += &tile(image, pictures);
                }
                if !alone {
                    html += "</div>\n";
                }
            }
            if alone && !finding.groups.is_empty() {
                html += "</div>\n";
            }
            if finding.more > 0 {
                let _ = write!(
                    html,
                    "<p class=\"note\">and {} more, which <code>--json</code> lists</p>",
                    count(finding.more)
                );
            }
            html += "</div>\n";
        }
        html
    }

    fn classes(&self) -> String {
        let mut html = String::new();
        if !self.classes.is_empty() {
            let heads: Vec<&str> =
                ["class"].into_iter().chain(self.splits.iter().map(String::as_str)).collect();
            let mut rows = String::new();
            for (name, counts) in &self.classes {
                let _ = write!(rows, "<tr><td>{}</td>", escape(name));
                counts.iter().for_each(|&n| {
                    let _ = write!(rows, "<td>{}</td>", count(n));
                });
                rows += "</tr>";
            }
            html += &stacked(&heads, &rows);
        }
        if !self.averages.is_empty() {
            let mut rows = String::new();
            for (name, images, values) in &self.averages {
                let [brightness, contrast, sharpness] = values.map(|value| format!("{value:.3}"));
                let _ = write!(
                    rows,
                    "<tr><td>{}</td><td>{}</td><td>{brightness}</td><td>{contrast}</td><td>{sharpness}</td></tr>",
                    escape(name),
                    count(*images)
                );
            }
            html += "<h3>On average</h3>";
            html += &stacked(&["", "images", "brightness", "contrast", "sharpness"], &rows);
            html += "<p class=\"note\">Brightness and contrast: mean and standard deviation of the luma, 0 to 1. Sharpness: the deviation of \
                     its Laplacian at 256 px, as a share of the contrast.</p>\n";
        }
        html
    }

    fn map(&self, pictures: &mut Pictures) -> String {
        if self.points.is_empty() {
            return String::new();
        }
        const SIDE: f64 = 800.0;
        let (top, bottom) = self
            .points
            .iter()
            .fold((1f64, 0f64), |(top, bottom), point| (top.min(point.place.1), bottom.max(point.place.1)));
        let mut html = format!(
            "<p>Similar pictures are near each other (t-SNE of the colors of small pictures, {}). A point shows its picture where it is \
             pointed at, tapped or reached by the tab key. Distances between far groups mean nothing.</p>\n\
             <div class=\"map\"><svg class=\"space\" viewBox=\"-12 {:.0} 824 {:.0}\" role=\"group\" aria-label=\"map of the images\">",
            counted(self.points.len() as u64, "image"),
            top * SIDE - 12.0,
            (bottom - top) * SIDE + 24.0
        );
        let colors = self.colors();
        // The pictures come behind all points, so that none covers them.
        let (mut seen, mut rules) = (String::new(), String::new());
        for (at, point) in self.points.iter().enumerate() {
            let (x, y) = (point.place.0 * SIDE, point.place.1 * SIDE);
            let hollow = point.split > 0;
            let color = match colors.iter().position(|&class| class == point.class) {
                None => "other".to_owned(),
                Some(color) => format!("{}{}", if hollow { "s" } else { "f" }, color + 1),
            };
            let hollow = if hollow { " hollow" } else { "" };
            let class = self.classes.get(point.class).map_or("", |(name, _)| name);
            let split =
                self.splits.get(point.split).filter(|_| self.splits.len() > 1).map_or("", String::as_str);
            let words = [class, split, file_name(&point.image.path)];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let _ = write!(
                html,
                "<g id=\"m{at}\" tabindex=\"0\"><title>{}</title><circle class=\"dot {color}{hollow}\" cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"6\"/></g>",
                escape(&words.join(", "))
            );
            if let Some(id) = point.image.image.as_ref().and_then(|image| pictures.add(image)) {
                // Inside of the map, wherever the point is.
                let left = if x > SIDE - 150.0 { x - 138.0 } else { x + 10.0 };
                let above = (y - 70.0).clamp(top * SIDE - 8.0, (bottom * SIDE - 140.0).max(top * SIDE - 8.0));
                let _ = write!(
                    seen,
                    "<g id=\"n{at}\" transform=\"translate({left:.0} {above:.0})\"><rect width=\"128\" height=\"146\" rx=\"6\"/>\
                     <use href=\"#{id}\" transform=\"translate(4 4) scale(1.2)\"/><text x=\"6\" y=\"138\">{}</text></g>",
                    escape(&shortened_front(class, 17))
                );
                let _ = write!(
                    rules,
                    "#m{at}:hover~.seen #n{at},#m{at}:focus~.seen #n{at}{{visibility:visible}}"
                );
            }
        }
        let _ = write!(html, "<g class=\"seen\">{seen}</g></svg><style>{rules}</style>");
        html += &self.legend(&colors);
        html + "</div>\n"
    }

    /// The classes with a color: those with the most points.
    fn colors(&self) -> Vec<usize> {
        let mut counts = vec![0usize; self.classes.len().max(1)];
        for point in &self.points {
            if let Some(count) = counts.get_mut(point.class) {
                *count += 1;
            }
        }
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&class| (std::cmp::Reverse(counts[class]), class));
        order.truncate(COLORS);
        order
    }

    fn legend(&self, colors: &[usize]) -> String {
        if self.classes.is_empty() {
            return String::new();
        }
        let mut html = String::from("<ul class=\"legend\">");
        let mark = |class: &str| {
            format!(
                "<svg viewBox=\"0 0 26 10\"><circle class=\"dot {class}\" cx=\"13\" cy=\"5\" r=\"4\"/></svg>"
            )
        };
        for (at, &class) in colors.iter().enumerate() {
            let _ =
                write!(html, "<li>{}{}</li>", mark(&format!("f{}", at + 1)), escape(&self.classes[class].0));
        }
        if self.classes.len() > colors.len() {
            let _ =
                write!(html, "<li>{}{} more classes</li>", mark("other"), self.classes.len() - colors.len());
        }
        if self.splits.len() > 1 {
            let _ = write!(
                html,
                "<li>{}{}</li><li>{}{}</li>",
                mark("other"),
                escape(&self.splits[0]),
                mark("other hollow"),
                escape(&self.splits[1..].join(", "))
            );
        }
        html + "</ul>"
    }

    fn galleries(&self, pictures: &mut Pictures) -> String {
        if self.without_pictures {
            return String::new();
        }
        let mut html = String::new();
        for gallery in &self.galleries {
            let _ = write!(
                html,
                "<h3>{} <span class=\"muted\">{}</span></h3><div class=\"group\">",
                escape(&gallery.class),
                counted(gallery.images, "image")
            );
            for image in &gallery.pictures {
                html += &tile(image, pictures);
            }
            html += "</div>\n";
        }
        html
    }
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    match characters.next() {
        // What is to be typed keeps its letters.
        Some(first) if first.is_lowercase() && !words.starts_with("pupila") => {
            format!("{}{}.", first.to_uppercase(), characters.as_str())
        }
        _ => words.to_owned(),
    }
}

fn tile(image: &PageImage, pictures: &mut Pictures) -> String {
    let picture = image.image.as_ref().and_then(|image| pictures.add(image));
    let picture = picture.map_or(String::new(), |id| single(&id, &escape(&image.path)));
    let name = match image.path.is_empty() {
        true => String::new(),
        false => format!(
            "<small title=\"{}\">{}</small>",
            escape(&image.path),
            escape(&shortened_front(file_name(&image.path), 22))
        ),
    };
    format!(
        "<figure class=\"tile\">{picture}<figcaption>{}{name}</figcaption></figure>",
        escape(&image.caption)
    )
}

/// Pictures by ids.
struct Pictures {
    definitions: String,
    count: usize,
    none: bool,
}

impl Pictures {
    fn add(&mut self, image: &Image) -> Option<String> {
        if self.none {
            return None;
        }
        let id = format!("i{}", self.count);
        self.definitions += &image_sprite(&id, image)?;
        self.count += 1;
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(path: &str) -> PageImage {
        let image = Image::new(2, 2, 3, vec![9; 12]).ok();
        PageImage { path: path.into(), caption: "<b>".into(), image }
    }

    fn page() -> DataPage {
        DataPage {
            title: "a & b".into(),
            classes: vec![("<cat>".into(), vec![3, 1]), ("dog".into(), vec![2, 0])],
            splits: vec!["train".into(), "val".into()],
            findings: vec![PageFinding {
                severity: "error",
                message: "m".into(),
                groups: vec![PageGroup {
                    note: "n".into(),
                    images: vec![image("x/1.png"), image("x/2.png")],
                }],
                more: 4,
                ..PageFinding::default()
            }],
            points: vec![MapPoint { place: (1.0, 0.0), class: 0, split: 1, image: image("x/3.png") }],
            galleries: vec![PageGallery { class: "dog".into(), images: 2, pictures: vec![image("x/4.png")] }],
            ..DataPage::default()
        }
    }

    #[test]
    fn names_of_the_data_are_text() {
        let html = page().render();
        assert!(html.contains("&lt;cat&gt;"));
        assert!(html.contains("a &amp; b"));
        assert!(!html.contains("<cat>"));
        assert!(!html.contains("<figcaption><b>"));
        assert_eq!(html.matches("data:image/").count(), 4);
        assert!(html.contains("and 4 more"));
    }

    #[test]
    fn a_page_without_pictures_has_none() {
        let html = DataPage { without_pictures: true, ..page() }.render();
        assert_eq!(html.matches("data:image/").count(), 0);
        assert!(html.contains("1.png"), "names of files stay");
    }
}

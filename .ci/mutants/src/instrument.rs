//! All mutants of a file in one: which of them is in force is chosen when the tests run.
//!
//! An expression `a < b` with the mutants 7 and 8 becomes `(match crate::mutant() { 7 => (a > b), 8 => (a <= b), _ => (a < b) })`.
//! Reference: Untch, Offutt and Harrold, "Mutation analysis using mutant schemata" (ISSTA 1993).

use std::collections::{BTreeMap, BTreeSet};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A mutant as cargo-mutants lists it.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// Its number, from 1.
    pub id: u32,
    /// As `cargo mutants --list` prints it.
    pub name: String,
    pub file: String,
    pub genre: String,
    pub replacement: String,
    /// Of the function that it is in; empty for none.
    pub returns: String,
    /// Line and column where it begins, from 1.
    pub at: (usize, usize),
}

/// Where an expression begins and ends; of those that begin at one place the outermost is the first.
type Place = (usize, std::cmp::Reverse<usize>);

/// What is put into the text.
#[derive(Default)]
struct Edits {
    /// What each mutant makes of an expression.
    alternatives: BTreeMap<Place, Vec<(u32, String)>>,
    inserted: BTreeMap<usize, String>,
}

/// The text with the mutants in it, and which of them are.
pub fn instrument(text: &str, mutants: &[&Mutant]) -> Result<(String, BTreeSet<u32>), syn::Error> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder {
        text,
        lines: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect(),
        mutants,
        constant: false,
        edits: Edits::default(),
        found: BTreeSet::new(),
    };
    finder.visit_file(&file);
    let Finder { edits, found, .. } = finder;
    Ok((render(text, 0, text.len(), &edits, None), found))
}

/// The text between two places with all edits within; `outer` is the expression whose default this is.
fn render(text: &str, from: usize, to: usize, edits: &Edits, outer: Option<(usize, usize)>) -> String {
    let mut out = String::new();
    let mut at = from;
    while at < to {
        // The outermost expression that begins here and has not been rendered yet.
        let here = (at, std::cmp::Reverse(usize::MAX))..=(at, std::cmp::Reverse(0));
        let next = edits.alternatives.range(here).find(|&(&(start, end), _)| {
            end.0 <= to && outer.is_none_or(|(first, last)| start > first || end.0 < last)
        });
        if outer.is_none_or(|(first, _)| at > first)
            && let Some(inserted) = edits.inserted.get(&at)
        {
            out += inserted;
        }
        if let Some((&(start, end), alternatives)) = next {
            out += "(match crate::mutant() {\n";
            for (id, alternative) in alternatives {
                out += &format!("/*M{id}*/ {id} => ({alternative}),\n/*E*/");
            }
            out += "_ => (";
            out += &render(text, start, end.0, edits, Some((start, end.0)));
            out += ") })";
            at = end.0;
            continue;
        }
        let step = text[at..].chars().next().map_or(1, char::len_utf8);
        out += &text[at..at + step];
        at += step;
    }
    out
}

struct Finder<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    mutants: &'a [&'a Mutant],
    /// Whether this is evaluated by the compiler.
    constant: bool,
    edits: Edits,
    found: BTreeSet<u32>,
}

impl<'a> Finder<'a> {
    fn place(&self, (line, column): (usize, usize)) -> usize {
        let start = self.lines[line - 1];
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }

    fn range(&self, of: &impl Spanned) -> (usize, usize) {
        let (start, end) = (of.span().start(), of.span().end());
        (self.place((start.line, start.column)), self.place((end.line, end.column)))
    }

    /// The mutants of a genre that begin at a place.
    fn beginning(&self, genre: &str, at: usize) -> Vec<&'a Mutant> {
        let begins =
            |mutant: &&&Mutant| mutant.genre == genre && self.place((mutant.at.0, mutant.at.1 - 1)) == at;
        self.mutants.iter().filter(begins).copied().collect()
    }

    fn alternative(&mut self, (start, end): (usize, usize), mutant: &Mutant, text: String) {
        if !self.constant {
            self.edits
                .alternatives
                .entry((start, std::cmp::Reverse(end)))
                .or_default()
                .push((mutant.id, text));
            self.found.insert(mutant.id);
        }
    }

    /// Operators that follow one another without brackets, of which a replaced one may bind otherwise.
    fn chain(&mut self, root: &'a syn::ExprBinary) {
        let (mut operators, mut operands) = (Vec::new(), Vec::new());
        flatten(root, &mut operators, &mut operands);
        if operands.iter().any(|operand| matches!(operand, syn::Expr::Let(_))) {
            // `let` stands in a condition alone.
            for side in [&*root.left, &*root.right] {
                self.visit_expr(side);
            }
            return;
        }
        let (start, end) = self.range(root);
        for operator in operators {
            let (first, last) = self.range(operator);
            for mutant in self.beginning("BinaryOperator", first) {
                let text =
                    format!("{}{}{}", &self.text[start..first], mutant.replacement, &self.text[last..end]);
                self.alternative((start, end), mutant, text);
            }
        }
        operands.into_iter().for_each(|operand| self.visit_expr(operand));
    }

    fn within(&mut self, constant: bool, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.constant, constant);
        visit(self);
        self.constant = before;
    }

    fn body(&mut self, block: &'a syn::Block) {
        let Some(first) = block.stmts.first() else { return };
        let at = self.range(first).0;
        for mutant in self.beginning("FnValue", at) {
            // All returns of `impl Trait` are of one type.
            if !self.constant && !mutant.returns.contains("impl ") {
                let (id, replacement) = (mutant.id, &mutant.replacement);
                let text =
                    format!("\n/*M{id}*/ if crate::mutant() == {id} {{ return {replacement}; }}\n/*E*/");
                self.edits.inserted.entry(at).or_default().push_str(&text);
                self.found.insert(id);
            }
        }
    }
}

fn flatten<'a>(
    of: &'a syn::ExprBinary,
    operators: &mut Vec<&'a syn::BinOp>,
    operands: &mut Vec<&'a syn::Expr>,
) {
    for (side, after) in [(&*of.left, true), (&*of.right, false)] {
        match side {
            syn::Expr::Binary(inner) => flatten(inner, operators, operands),
            other => operands.push(other),
        }
        if after {
            operators.push(&of.op);
        }
    }
}

impl<'a> Visit<'a> for Finder<'a> {
    fn visit_expr_binary(&mut self, node: &'a syn::ExprBinary) {
        self.chain(node);
    }

    fn visit_expr_unary(&mut self, node: &'a syn::ExprUnary) {
        let (start, end) = self.range(node);
        let (operand, _) = self.range(&*node.expr);
        for mutant in self.beginning("UnaryOperator", start) {
            let text = self.text[operand..end].to_owned();
            self.alternative((start, end), mutant, text);
        }
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'a syn::Arm) {
        if let Some((_, guard)) = &node.guard {
            let range = self.range(&**guard);
            for mutant in self.beginning("MatchArmGuard", range.0) {
                self.alternative(range, mutant, mutant.replacement.clone());
            }
        }
        visit::visit_arm(self, node);
    }

    fn visit_item_fn(&mut self, node: &'a syn::ItemFn) {
        self.within(node.sig.constness.is_some(), |this| {
            this.body(&node.block);
            visit::visit_item_fn(this, node);
        });
    }

    fn visit_impl_item_fn(&mut self, node: &'a syn::ImplItemFn) {
        self.within(node.sig.constness.is_some(), |this| {
            this.body(&node.block);
            visit::visit_impl_item_fn(this, node);
        });
    }

    fn visit_trait_item_fn(&mut self, node: &'a syn::TraitItemFn) {
        self.within(node.sig.constness.is_some(), |this| {
            if let Some(block) = &node.default {
                this.body(block);
            }
            visit::visit_trait_item_fn(this, node);
        });
    }

    fn visit_expr_closure(&mut self, node: &'a syn::ExprClosure) {
        self.within(false, |this| visit::visit_expr_closure(this, node));
    }

    fn visit_item_const(&mut self, node: &'a syn::ItemConst) {
        self.within(true, |this| visit::visit_item_const(this, node));
    }

    fn visit_item_static(&mut self, node: &'a syn::ItemStatic) {
        self.within(true, |this| visit::visit_item_static(this, node));
    }

    fn visit_impl_item_const(&mut self, node: &'a syn::ImplItemConst) {
        self.within(true, |this| visit::visit_impl_item_const(this, node));
    }

    fn visit_trait_item_const(&mut self, node: &'a syn::TraitItemConst) {
        self.within(true, |this| visit::visit_trait_item_const(this, node));
    }

    fn visit_type_array(&mut self, node: &'a syn::TypeArray) {
        self.within(true, |this| visit::visit_type_array(this, node));
    }

    fn visit_expr_repeat(&mut self, node: &'a syn::ExprRepeat) {
        self.visit_expr(&node.expr);
        self.within(true, |this| this.visit_expr(&node.len));
    }
}

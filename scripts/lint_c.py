# SPDX-License-Identifier: GPL-3.0-or-later
"""Just enough of a C reader for scripts/lint.py: tokens, file-scope statements, functions.

It reads tokens, not grammar. Preprocessor lines are one token each, so code in macros is not looked
into; comments are dropped.
"""
import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\f\v]+|\\\n)
  | (?P<newline>\n)
  | (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
  | (?P<char>[uUL]?'(?:\\.|[^'\\\n])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>\.?[0-9](?:[eEpP][+-]|[\w.'])*)
  | (?P<punctuation>\.\.\.|->|\+\+|--|<<=|>>=|[-+*/%&|^!=<>]=|&&|\|\||<<|>>|.)
    """,
    re.VERBOSE | re.DOTALL,
)
DIRECTIVE = re.compile(r"#(?:/\*.*?\*/|//[^\n]*|\\\n|[^\n/]|/(?![*/]))*", re.DOTALL)
OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Token:
    kind: str  # name number string char punctuation directive
    text: str
    line: int


def tokens_of(text):
    """All tokens of a file but white space and comments."""
    out, at, line, fresh = [], 0, 1, True
    while at < len(text):
        if fresh and text[at] == "#":
            match = DIRECTIVE.match(text, at)
            out.append(Token("directive", match.group(), line))
            kind = "directive"
        else:
            match = TOKEN.match(text, at)
            kind = match.lastgroup
            if kind not in ("space", "newline", "comment"):
                out.append(Token(kind, match.group(), line))
        if kind == "newline":
            fresh = True
        elif kind not in ("space", "comment"):
            fresh = False
        line += match.group().count("\n")
        at = match.end()
    return out


def includes_of(tokens):
    """(line, name, is in quotes) of every #include."""
    for token in tokens:
        if token.kind == "directive":
            match = re.match(r'#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', token.text)
            if match:
                yield token.line, match.group(1) or match.group(2), match.group(1) is not None


def closing(tokens, start):
    """Position of the bracket that closes the one at start; the last token if none does."""
    depth = 0
    for at in range(start, len(tokens)):
        if tokens[at].kind != "punctuation":
            continue
        if tokens[at].text in OPENING:
            depth += 1
        elif tokens[at].text in OPENING.values():
            depth -= 1
            if depth == 0:
                return at
    return len(tokens) - 1


def is_at(tokens, at, text):
    return 0 <= at < len(tokens) and tokens[at].text == text and tokens[at].kind != "string"


def outer(tokens):
    """The tokens outside all brackets, each bracketed part as its opening token alone."""
    out, at = [], 0
    while at < len(tokens):
        out.append(tokens[at])
        if tokens[at].kind == "punctuation" and tokens[at].text in OPENING:
            at = closing(tokens, at)
        at += 1
    return out


@dataclass
class Statement:
    """One thing at file scope: a declaration, or a function with its body."""

    head: list  # tokens before the body, or all of a declaration without its ';'
    body: list  # tokens of a function's body with its braces; empty for a declaration
    first: int  # lines
    last: int


def is_function_head(head):
    """True if a '{' behind these tokens opens a function: `… name(…) {`."""
    flat = [t.text for t in outer([t for t in head if t.kind != "directive"])]
    return "(" in flat and "=" not in flat and flat[0] != "typedef" and flat[-1] == "("


def statements_of(tokens):
    """The file-scope statements. `extern "C" {` is not known here: the tree has none."""
    head, at = [], 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "directive":
            at += 1
            continue
        if is_at(tokens, at, "{"):
            end = closing(tokens, at)
            if is_function_head(head):
                yield Statement(head, tokens[at : end + 1], head[0].line, tokens[end].line)
                head = []
            else:
                head += tokens[at : end + 1]
            at = end + 1
            continue
        if is_at(tokens, at, ";"):
            if head:
                yield Statement(head, [], head[0].line, token.line)
            head = []
        else:
            head.append(token)
        at += 1


def variable_name(declaration):
    """Name token of the variable that these tokens define, None if they define none."""
    flat = outer(declaration)
    texts = [t.text for t in flat]
    if not texts or texts[0] in ("typedef", "extern", "static_assert", "_Static_assert"):
        return None
    before = texts.index("=") if "=" in texts else len(texts)
    if "=" not in texts and "(" in texts:
        return None  # a prototype or the call of a macro
    names = [t for t in flat[:before] if t.kind == "name"]
    if len(names) < 2 or names[-1].text in ("const", "struct", "union", "enum"):
        return None
    tagged = texts[1 if texts[0] == "static" else 0] in ("struct", "union", "enum")
    if tagged and "=" not in texts and texts[-1] == "{":
        return None  # struct x { … };
    if tagged and texts in ([texts[0], names[-1].text],):
        return None  # struct x;
    return names[-1]


def is_constant(declaration):
    """True if the variable itself cannot be changed: `const char *const x`, not `const char *x`."""
    flat = outer(declaration)
    texts = [t.text for t in flat]
    if "=" in texts:
        texts = texts[: texts.index("=")]
    if "constexpr" in texts:
        return True
    for at, token in enumerate(declaration):  # a pointer to a function: (*const x)(…)
        if token.text == "(" and is_at(declaration, at + 1, "*"):
            return is_at(declaration, at + 2, "const")
        if token.text in ("=", "{"):
            break
    if "*" in texts:
        texts = texts[len(texts) - texts[::-1].index("*") :]
    return "const" in texts


def local_statics(body):
    """The `static …` declarations inside a function."""
    for at, token in enumerate(body):
        if token.kind == "name" and token.text == "static":
            end = at
            while end < len(body) and not is_at(body, end, ";"):
                opens = body[end].kind == "punctuation" and body[end].text in OPENING
                end = closing(body, end) + 1 if opens else end + 1
            yield body[at:end]


def enum_constants(tokens):
    """Constants of the enums that have a name."""
    for at, token in enumerate(tokens):
        if token.text == "enum" and is_at(tokens, at + 2, "{") and tokens[at + 1].kind == "name":
            inside = tokens[at + 3 : closing(tokens, at + 2)]
            expect = True
            for part in outer([t for t in inside if t.kind != "directive"]):
                if expect and part.kind == "name":
                    yield part.text
                expect = part.text == ","


def switches_of(tokens):
    """(line, case labels as token lists, line of default or None) of every switch."""
    for at, token in enumerate(tokens):
        if token.kind != "name" or token.text != "switch" or not is_at(tokens, at + 1, "("):
            continue
        start = closing(tokens, at + 1) + 1
        if is_at(tokens, start, "{"):
            inside = tokens[start + 1 : closing(tokens, start)]
            yield (token.line, *labels_of(inside))


def labels_of(inside):
    """Case labels and the line of default in a switch's body, inner switches left out."""
    labels, default, at = [], None, 0
    while at < len(inside):
        token = inside[at]
        if token.kind == "name" and token.text == "switch":
            start = closing(inside, at + 1) + 1
            at = closing(inside, start) if is_at(inside, start, "{") else start
        elif token.kind == "name" and token.text == "case":
            end = at + 1
            while end < len(inside) and not is_at(inside, end, ":"):
                end += 1
            labels.append(inside[at + 1 : end])
            at = end
        elif token.text == "default" and is_at(inside, at + 1, ":"):
            default = token.line
        at += 1
    return labels, default


def string_value(token):
    """What a string token holds, simple escapes left as they are."""
    return token.text[token.text.index('"') + 1 : -1]


def arguments_of(tokens, opening_at):
    """The arguments of a call or the elements of a braced list, as token lists."""
    inside = tokens[opening_at + 1 : closing(tokens, opening_at)]
    out, part, at = [], [], 0
    while at < len(inside):
        token = inside[at]
        if token.kind == "punctuation" and token.text in OPENING:
            end = closing(inside, at)
            part += inside[at : end + 1]
            at = end + 1
            continue
        if token.kind == "punctuation" and token.text == ",":
            out.append(part)
            part = []
        else:
            part.append(token)
        at += 1
    return out + [part] if part else out

"""A reading of the tables of a page."""

from html.parser import HTMLParser


class Tables(HTMLParser):
    """Caption -> rows of cells, and every element that was opened."""

    def __init__(self):
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self.tags: list[str] = []
        self.inside, self.caption = "", ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.inside = tag
        if tag == "tr":
            self.found[self.caption].append([])
        elif tag in ("td", "th"):
            self.found[self.caption][-1].append("")
        elif tag == "caption":
            self.caption = ""

    def handle_data(self, text):
        if self.inside == "caption":
            self.caption += text
            self.found.setdefault(self.caption, [])
        elif self.inside in ("td", "th"):
            self.found[self.caption][-1][-1] += text

    def handle_endtag(self, tag):
        self.inside = ""


def read(text: str) -> Tables:
    """The tables and the elements of a page."""
    parser = Tables()
    parser.feed(text)
    return parser

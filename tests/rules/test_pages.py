import re

from tests.rules.repository import ROOT, relative

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_every_page_a_page_links_to_exists():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{relative(page)} → {target}"
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_readme_links_to_the_documentation():
    assert re.search(r"\]\(docs/[a-z-]+\.md", (ROOT / "README.md").read_text(encoding="utf-8"))

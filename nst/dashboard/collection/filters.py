"""The Gallery's search, filters and order as widgets, in step with the address bar.

The address leads where somebody comes by a link or goes back; the widgets lead where somebody has touched one. Labels
tell how many results there are, so the addresses name keys instead: Streamlit's own binding would put labels there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from nst.dashboard.collection.view import BOUNDS, CHOICES, EARLIEST, LARGEST_SIZE, LATEST, MOST_STARS, NAMES, View
from nst.dashboard.parts import counted, plain, preset_title
from nst.gallery.query import Facets, StyleUse
from nst.gallery.text import clean_text

ADDRESS = "gallery_address"
"""In the session: what the address bar says of the Gallery's view, for other pages to come back to."""
FOREIGN = frozenset({"id", "ids"})
"""Parameters of the pages of results, which have no meaning here."""
_TOUCHED, _PAGE, _TURN = "gallery_touched", "gallery_page", "gallery_turn"
_KEYS = {
    "text": "q",
    "starred": "starred_filter",
    "order": "order",
    **{name: f"{name}_filter" for name in (*CHOICES, *BOUNDS)},
}
ORDERS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "name": "Name",
    "largest": "Largest first",
    "slowest": "Slowest first",
    "rating": "Best rated first",
}


def touch() -> None:
    """Say that this run answers an action: the address it came with may be older than what the page has."""
    st.session_state[_TOUCHED] = True


def seed() -> None:
    """Give the widgets the address's values, where that is what leads. Call before they are drawn."""
    state = st.session_state
    asked = {name: value for name, value in st.query_params.items() if name in NAMES}
    if _KEYS["text"] in state and (state.get(_TOUCHED) or asked == state.get(ADDRESS)):
        return
    state[ADDRESS] = asked  # at once: the next click may cut this run short before it has settled
    _give(View.from_query(asked))


def come_back() -> str | None:
    """Take the address kept in the session where a browser's Back gives this page that of a result; or None.

    Streamlit leaves a step in the browser's history that has this page's path and the next one's parameters. The
    browser is to replace that address: written by the server it would be one more step, and Back would lead nowhere.
    """
    if not FOREIGN & {*st.query_params} or _KEYS["text"] in st.session_state:
        return None
    touch()
    _give(View.from_query(st.session_state.setdefault(ADDRESS, {})))
    return urlencode(st.session_state[ADDRESS])


def settle(view: View, *, leave: bool = False) -> None:
    """Write what is shown into the address bar, or `leave` that to the browser."""
    state, wanted = st.session_state, view.to_query()
    others = {name: value for name, value in st.query_params.items() if name not in NAMES | FOREIGN}
    if not leave and st.query_params.to_dict() != others | wanted:
        st.query_params.from_dict(others | wanted)
    state[ADDRESS], state[_TOUCHED] = wanted, False


def draw(facets: Facets) -> View:
    """The row of widgets; the view that they ask for."""
    seed()
    state = st.session_state
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Search", placeholder="Name, picture, tag or note", key="q", on_change=_narrow)
        order = st.selectbox(
            "Order", list(ORDERS), format_func=ORDERS.__getitem__, key="order", on_change=_narrow, width=170
        )
        starred = st.toggle("Starred", key="starred_filter", on_change=_narrow)
        number = sum(state.get(_KEYS[name]) is not None for name in (*CHOICES, *BOUNDS))
        with st.popover(
            f"Filters ({number})" if number else "Filters",
            icon=":material/filter_list:",
            key="filters",
            width="content",
        ):
            chosen = {**_choices(facets), **_bounds()}
    return View(text=clean_text(text), starred=starred, order=order, page=state.get(_PAGE, 1), **chosen)


def summary(view: View, facets: Facets, *, total: int, everything: int) -> None:
    """How many there are, what narrows them, and the way out of it."""
    words = counted(total) if total == everything else f"{total:,} of {counted(everything)}".replace(",", " ")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(" · ".join([words, *_told(view, facets)])), width="content")
        if view.narrowed:
            st.button("Clear", icon=":material/close:", type="tertiary", key="clear", on_click=clear)


def clear() -> None:
    """Take all filters away; the order stays."""
    touch()
    _give(View(order=st.session_state.get(_KEYS["order"], "newest")))


def pager(view: View, pages: int) -> None:
    """The pages' numbers, where there are several."""
    if pages > 1:
        key = f"page_{st.session_state.get(_TURN, 0)}"
        st.pagination(pages, default=view.page, key=key, on_change=_turned, args=(key,))


def turn_to(page: int) -> None:
    """Show another page than the numbers say: they get a new key with it, since a widget given both a value by the
    session and a default makes Streamlit complain in the log.
    """
    st.session_state[_PAGE] = page
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def _turned(key: str) -> None:
    touch()
    st.session_state[_PAGE] = st.session_state[key]


def _give(view: View) -> None:
    for name, key in _KEYS.items():
        st.session_state[key] = getattr(view, name)
    turn_to(view.page)


def _narrow() -> None:
    touch()
    turn_to(1)  # the third page of something else is nowhere


def _choices(facets: Facets) -> dict[str, str | None]:
    uses = _uses(facets)
    return {name: _choice(name, *uses[name]) for name in CHOICES}


def _uses(facets: Facets) -> dict[str, tuple[str, Mapping[str, StyleUse], Callable[[str, StyleUse], str]]]:
    """The label of each choice, what there is to choose, and how that is called."""
    return {
        "style": ("Style", facets.styles, lambda _, use: use.label),
        "content": ("Photograph", facets.contents, lambda _, use: use.label),
        "preset": ("Preset", facets.presets, lambda name, _: preset_title(name)),
        "network": ("Network", facets.networks, lambda _, use: use.label),
        "tag": ("Tag", facets.tags, lambda _, use: use.label),
    }


def _choice(name: str, label: str, uses: Mapping[str, StyleUse], title: Callable[[str, StyleUse], str]) -> str | None:
    """One of what there is, or what was asked for though there is no result of it (any more)."""
    key = _KEYS[name]
    asked = st.session_state.get(key)
    known = uses if asked is None or asked in uses else {**uses, asked: StyleUse(asked[:24], 0)}
    if not known:
        return None
    return st.selectbox(
        label,
        list(known),
        index=None,
        placeholder=f"Any {label.lower()}",
        format_func=lambda value: title(value, known[value]) + (f" ({count})" if (count := known[value].count) else ""),
        key=key,
        on_change=_narrow,
    )


def _bounds() -> dict[str, Any]:
    left, right = st.columns(2)
    size: dict[str, Any] = {
        "min_value": 1,
        "max_value": LARGEST_SIZE,
        "step": 64,
        "placeholder": "any",
        "on_change": _narrow,
    }
    day: dict[str, Any] = {
        "min_value": EARLIEST,
        "max_value": LATEST,
        "format": "YYYY-MM-DD",
        "on_change": _narrow,
    }
    return {
        "since": left.date_input("From", None, key=_KEYS["since"], **day),
        "until": right.date_input("To", None, key=_KEYS["until"], **day),
        "smallest": left.number_input("At least, px", value=None, key=_KEYS["smallest"], **size),
        "largest": right.number_input("At most, px", value=None, key=_KEYS["largest"], **size),
        "rated": st.selectbox(
            "Rating",
            range(1, MOST_STARS + 1),
            index=None,
            placeholder="Any rating",
            format_func=lambda stars: "★" * stars + (" and more" if stars < MOST_STARS else ""),
            key=_KEYS["rated"],
            on_change=_narrow,
        ),
    }


def _told(view: View, facets: Facets) -> list[str]:
    """The filters in the popover, in words: nothing narrows a list unseen."""
    told = []
    for name, (label, uses, title) in _uses(facets).items():
        if value := getattr(view, name):
            told.append(f"{label}: {title(value, uses[value]) if value in uses else value[:24]}")
    told += [f"from {view.since}"] * bool(view.since) + [f"to {view.until}"] * bool(view.until)
    told += [f"at least {view.smallest} px"] * bool(view.smallest) + [f"at most {view.largest} px"] * bool(view.largest)
    return told + [f"rated {view.rated} or more"] * bool(view.rated)

"""The view of the Gallery and the address that tells it."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from nst.dashboard.collection.view import EARLIEST, LARGEST_PAGE, LARGEST_SIZE, LATEST, NAMES, View
from nst.gallery.query import ORDERS, conditions
from nst.gallery.text import clean_text

WORDS = st.text(max_size=30).map(clean_text)
DAYS = st.none() | st.dates(EARLIEST, LATEST)
SIDES = st.none() | st.integers(1, LARGEST_SIZE)
VIEWS = st.builds(
    View,
    text=WORDS,
    **dict.fromkeys(("style", "content", "preset", "network", "tag"), WORDS.map(lambda word: word or None)),
    starred=st.booleans(),
    rated=st.none() | st.integers(1, 5),
    since=DAYS,
    until=DAYS,
    smallest=SIDES,
    largest=SIDES,
    order=st.sampled_from(list(ORDERS)),
    page=st.integers(1, LARGEST_PAGE),
)
LIKELY = st.sampled_from(
    ["yes", "no", "0", "1", "5", "6", "007", "-1", "1e3", "²", "2026-11-21", "9999-12-31", "newest"]
)
QUERIES = st.dictionaries(st.sampled_from(sorted(NAMES)) | st.text(), LIKELY | st.text())


@given(VIEWS)
def test_an_address_tells_its_view_again(view):
    query = view.to_query()
    assert View.from_query(query) == view
    assert set(query) <= NAMES
    assert all(isinstance(word, str) and word for word in query.values())


@given(QUERIES)
def test_any_address_makes_a_view_that_can_be_asked_for(query):
    view = View.from_query(query)
    assert View.from_query(view.to_query()) == view
    conditions(view.filters())
    assert 1 <= view.page <= LARGEST_PAGE
    assert all(day is None or EARLIEST <= day <= LATEST for day in (view.since, view.until))
    assert view.order in ORDERS


def test_the_plain_view_has_a_plain_address():
    assert View().to_query() == {}
    assert View().narrowed == 0


def test_an_address_is_readable():
    view = View(text="night", starred=True, since=date(2026, 11, 1), smallest=512, order="rating", page=3)
    assert view.to_query() == {
        "q": "night",
        "starred": "yes",
        "since": "2026-11-01",
        "smallest": "512",
        "order": "rating",
        "page": "3",
    }
    assert view.narrowed == 4

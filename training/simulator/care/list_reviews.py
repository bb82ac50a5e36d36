"""Reviews that a list brought about: the simulated trust answers back. Who is reviewed when is given from outside."""

from __future__ import annotations

from training.simulator.care.appointments import be_seen
from training.simulator.care.formulary import CLOZAPINE
from training.simulator.care.monitoring import take_clozapine_blood
from training.simulator.events import emit_contact
from training.simulator.jit import step
from training.simulator.state import ATTENDED, FACE_TO_FACE, MAIN, MEDICINES_REVIEW, NONE


@step
def review_from_list(p, s, m, x):
    """Today's review from a list, if there is one: a contact that took place, with its effect on adherence. A clozapine
    blood count that is due is taken on the spot.
    """
    if not has_review(p.index, s.day, x.reviews):
        return
    emit_contact(p, s, x, s.day, s.day, MEDICINES_REVIEW, FACE_TO_FACE, ATTENDED, s.staff)
    s.medicines_review_on = s.day
    be_seen(p, s, x, MEDICINES_REVIEW, True)
    if m[MAIN].medicine == CLOZAPINE and s.blood_visit != NONE and s.day >= m[MAIN].due and s.blood_visit > s.day:
        take_clozapine_blood(p, s, m, x)


@step
def has_review(person, day, reviews):
    """Whether the sorted rows (person, day) hold this one."""
    low, high = 0, len(reviews)
    while low < high:
        middle = (low + high) // 2
        if reviews[middle, 0] < person or (reviews[middle, 0] == person and reviews[middle, 1] < day):
            low = middle + 1
        else:
            high = middle
    return low < len(reviews) and reviews[low, 0] == person and reviews[low, 1] == day

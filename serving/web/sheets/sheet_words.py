"""The words of the conversation sheet: plain, and easy-read. The same facts stand under both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SheetWords:
    """Sentences with places to fill. An empty one is left out of the sheet."""

    wish: str
    side_effect: str
    scale: str
    many: str
    many_days: str
    simpler: str
    times: str
    not_in_record: str
    given: str
    late: str
    without: str
    steady: str
    missed: str
    alone: str
    autism: str
    learning_disability: str
    not_recorded: str
    housing: dict[str, str]
    injection_there: str
    questions: tuple[str, ...]
    questions_about: dict[str, str]


PLAIN = SheetWords(
    wish="Wish: {}",
    side_effect="Side effect: {}",
    scale="{}: {} ({}), {}",
    many="{} regular medicines by mouth: is each still needed?",
    many_days="Supplies on {} different days in the last {}: could they be collected together?",
    simpler="{}: {}",
    times="; usually {} times a day",
    not_in_record="How many times a day and how many tablets are not in this record: ask to see them.",
    given="{}: last recorded {}",
    late="{} days late after {}",
    without="{}: nothing in hand by the record for {}",
    steady="{}: no gap of three days or more on record",
    missed="Missed doses were reported{}",
    alone="Lives alone{}",
    autism="Autism {} on record: ask about place, noise, time and written questions",
    learning_disability="Learning disability {} on record: use the easy-read sheet, and ask who should be there",
    not_recorded="{}: not recorded",
    housing={
        "hostel": "Lives in a hostel{}: ask where medicines can be locked away",
        "rough_sleeping": "Sleeping rough{}: ask about small supplies, and where they can be kept",
        "temporary": "In temporary accommodation{}: ask where medicines are kept, and where to reach the person",
        "supported": "In supported accommodation{}: ask whether staff help with medicines",
    },
    injection_there="Ask whether the injection can be given where the person stays",
    questions=(
        "What matters most to you about your medicines, and what would you like to change?",
        "So that I know I explained it well: what is each of these for, in your own words?",
        "Show me how and when you take each one. What gets in the way?",
        "Many people miss doses sometimes. When did you last miss some, and why?",
        "What have you noticed since taking them, good or bad?",
        "What would you do if you ran out, or missed two days?",
        "Are you taking anything else: from a shop, for pain, herbal, or from somebody else?",
    ),
    questions_about={
        "injection": "Where and when would the injection suit you best?",
        "clozapine": "How are your bowels, and have you changed how much you smoke?",
        "lithium": "What do you do on a hot day, or with vomiting or diarrhoea?",
    },
)

EASY = SheetWords(
    wish="You want: {}",
    side_effect="This bothers you: {}",
    scale="",
    many="You take {} medicines each day. Do you need them all?",
    many_days="You picked up medicine on {} days in the last {}. Could it be fewer?",
    simpler="{}: {}",
    times="",
    not_in_record="",
    given="{}: your last one was on {}",
    late="{} days late after {}",
    without="{}: you may have had none for {}",
    steady="{}: picked up with no long gap",
    missed="You said that you missed some{}",
    alone="You live alone.",
    autism="Tell us if it is too loud or too bright.",
    learning_disability="You can bring somebody with you.",
    not_recorded="",
    housing={
        "hostel": "You live in a hostel. Where can your medicine be kept safe?",
        "rough_sleeping": "Where can your medicine be kept? Can we come to you?",
        "temporary": "Where do you keep your medicine? How can we reach you?",
        "supported": "Does somebody help you with your medicine?",
    },
    injection_there="Can you have your injection where you stay?",
    questions=(
        "What is going well with your medicines?",
        "What is hard about them?",
        "Can you tell me what each one is for?",
        "Can you show me how you take each one?",
        "What would you do if you missed some?",
        "Who can you call if you feel unwell?",
        "Is there anything you want to change?",
    ),
    questions_about={"injection": "Where would you like to have your injection?"},
)

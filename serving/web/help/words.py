"""What each page is for and how to use it, and what its words mean. Plain sentences; nothing about anybody."""

from __future__ import annotations

from typing import NamedTuple


class HelpSection(NamedTuple):
    """One page's help: its anchor, its heading and its paragraphs."""

    anchor: str
    heading: str
    lines: tuple[str, ...]


HELP = (
    HelpSection(
        "start",
        "My teams",
        (
            "You see the teams that you belong to, how many people each has, and how many have a critical or high "
            "safety gap. Open a team to see its list.",
            "If a team is missing, ask the people who run Upstream to check your teams.",
        ),
    ),
    HelpSection(
        "worklist",
        "A team's list",
        (
            "Everybody on the caseload is on the list. The line marks this week's review capacity; nobody below it is "
            "left out, and a place further down says nothing about a person's need.",
            "Filter it by overdue care, medicine, reason, review, or who has the person. Ranks do not change when you "
            "filter.",
            "“Critical” and “Safety” mark overdue or missing care that follows from a rule, whatever the estimate is.",
        ),
    ),
    HelpSection(
        "person",
        "One person",
        (
            "Overdue or missing care comes first: what a rule found, the date, the standard and the rows of the record "
            "behind it. Check the record itself before you act.",
            "The estimate says how many of 100 people like this had the outcome. It is no diagnosis and no cause.",
            "“Recorded but not understood” lists what Upstream could not read. No rule and no estimate counts it.",
        ),
    ),
    HelpSection(
        "gap-status",
        "Acknowledged, booked, does not apply, done",
        (
            "Say under a gap what is being done about it, until a date. It then counts as open again, also when new "
            "evidence comes. A critical gap is never set aside for more than seven days.",
        ),
    ),
    HelpSection(
        "reviews",
        "Reviews",
        (
            "Tick what was done; the boxes stand under the person's own gaps. Answer the three questions. What was "
            "said belongs in the person's own record, not here.",
            "You can correct a review or undo it. Every version stays in the history, with who wrote it and when.",
            "If your session ends while you fill in the form, your answers are kept for you alone for three days. "
            "Sign in again and open the person.",
        ),
    ),
    HelpSection(
        "work",
        "Who has this person",
        (
            "Give a person to a colleague of their team, tick what the colleague needs to know, or mark them for this "
            "week. The mark stays until somebody takes it off or a review is recorded.",
            "On the list, “Who has them” shows those given to you, those for this week, and those given to nobody.",
        ),
    ),
    HelpSection(
        "conversation",
        "The conversation sheet and the GP letter",
        (
            "The conversation sheet is one page to take along. It holds what the record holds, facts about medicines "
            "from a table that is still to be confirmed by a pharmacist, and questions to ask. It never holds an "
            "estimate. An easy-read sheet is one click away.",
            "The GP letter says who prescribes, what is due and what was recorded as agreed. Read it before you send "
            "it: it knows only what the record holds.",
        ),
    ),
    HelpSection(
        "registers",
        "Registers",
        (
            "Everybody on clozapine, lithium, long-acting injections, valproate or topiramate, a high dose, or "
            "medicines that interact: one row a person with the last check, the next and the result. Sort and filter "
            "it, print it, or take it along as CSV.",
        ),
    ),
    HelpSection(
        "this-week",
        "This week",
        ("What falls due in the next 7 and 14 days, by day: checks, injections, supplies and appointments.",),
    ),
    HelpSection(
        "find",
        "Find a person",
        (
            "Type a name, an NHS number or a number in Upstream. Only people whom you may see are found. Names and NHS "
            "numbers stand on pages only, where your trust gave them.",
        ),
    ),
    HelpSection(
        "emergency",
        "Emergency access",
        (
            "Open one person of another team for an hour, with a reason, to read. The auditor sees it at once. For "
            "your own people, and for numbers that no list holds, it opens nothing.",
        ),
    ),
    HelpSection(
        "texts",
        "Texts",
        (
            "Send one of the fixed texts to a person who agreed to texts, from 9:00 to 19:00. No text names a "
            "medicine, a test, a diagnosis or a team.",
            "1 asks for a call, 2 asks to change, STOP ends the texts. Anything else is sealed until somebody of the "
            "team opens it, and the audit log says who did.",
            "Words that may mean distress stand at the top of the team's page. The word list is not verified, so read "
            "every reply. Nobody reads replies at night; the automatic answer says so. No answer does not mean that "
            "somebody did not attend.",
        ),
    ),
    HelpSection(
        "digest",
        "The weekly digest",
        ("The week of your teams in counts. It names nobody, so it can be sent by e-mail.",),
    ),
    HelpSection(
        "audit",
        "The audit log",
        (
            "For the auditor: who looked at whom, when and why. Search it by day, by name, by person and by what was "
            "done. Reading it is in the log too.",
        ),
    ),
    HelpSection(
        "status",
        "Status and model card",
        (
            "The status page says how old the list is and whether anything needs attention. The model card says what "
            "the model is for, what it is not for, what it learned from and how well it did.",
        ),
    ),
)

GLOSSARY = {
    "Attended contact": "The person was seen face to face, by video or by telephone.",
    "Audit log": "The record of who looked at whom, when and why. Each event is chained to the one before.",
    "BEN": "Benign ethnic neutropenia: lower limits for clozapine blood counts, where a haematologist has agreed.",
    "Caseload": "Everybody with an open referral to a team.",
    "Course": "A medicine taken without a break of more than 90 days. Clozapine has its own rules.",
    "Critical, high, medium, routine": "How soon overdue or missing care asks for action. Critical: today.",
    "Cut-off": "The day up to which records were read.",
    "Days covered": "Share of days on which the person had medicine in hand, by what was supplied.",
    "Depot": "A long-acting injection.",
    "Easy read": "Short sentences and plain words, for people who find reading hard.",
    "High dose": "More than 100% of the maximum daily dose, all antipsychotics added up.",
    "Lose contact": "90 days of silence with two offers not taken up, or closure for not attending.",
    "Overdue or missing care": "Something that should have been done and is not on record, found by a rule.",
    "Prediction window": "The days ahead that an estimate is about: 28, 90 or 180.",
    "Publish": "To make a night's lists the ones that everybody sees, all at once.",
    "Rank": "Place by the estimate. Filters do not change it.",
    "Reason": "A clinical theme that raises or lowers the estimate, with the dated records behind it.",
    "Review capacity": "How many people a team can review in a week. A line on the list marks it.",
    "Safety": "Marks overdue or missing care that can harm soon if nothing is done.",
    "Snooze": "Leaving somebody off the top of the list until a date. Critical safety gaps end it.",
    "Standard not yet verified": "A pharmacist has not yet checked this rule against the source that it names.",
    "Synthetic": "Invented by a simulator. No such person exists.",
    "Team median": "Half of the team's people have a higher estimate, half a lower one.",
    "Teach-back": "Asking somebody to say it in their own words, to see whether it was explained well.",
}

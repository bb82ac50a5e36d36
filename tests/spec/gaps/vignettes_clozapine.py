"""Clozapine: counts, breaks, results and levels, and what is said of each."""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, every, vignette

HEAD = "medicine supplied_on days_supplied\n"
STEADY = HEAD + every("clozapine", 28, 700, 0)
RESULTS = "test taken_on value\n"
KINDS = "kind value from_on\n"
COUNTS = [
    vignette(
        f"in week {week}, {days} days since the count",
        *([Must("CLZ_FBC_OVERDUE", severity, f"every {interval} days now, in week {week} since")] if severity else []),
        not_found=() if severity else ("CLZ_FBC_OVERDUE",),
        supplies=HEAD + every("clozapine", 7, 7 * week - 6, 1),
        results=RESULTS + f"anc d-{days} 3.9\nwbc d-{days} 6.1",
    )
    for week, days, interval, severity in (
        (10, 6, 7, ""),
        (10, 8, 7, "high"),
        (30, 13, 14, ""),
        (30, 15, 14, "high"),
        (120, 27, 28, ""),
        (120, 30, 28, "high"),
    )
] + [
    vignette(
        "one day late: what the monitoring service does is not claimed",
        Must("CLZ_FBC_OVERDUE", "high", does="ask the monitoring service whether supply can continue"),
        not_found=("CLZ_FBC_OVERDUE:hold",),
        supplies=STEADY,
        results=RESULTS + "anc d-29 3.9\nwbc d-29 6.1",
    ),
    *(
        vignette(
            f"only {alone} 5 days ago: that is no count",
            Must("CLZ_FBC_OVERDUE", "critical", "last recorded d-40"),
            supplies=STEADY,
            results=RESULTS + f"anc d-40 3.9\nwbc d-40 6.1\n{alone} d-5 6.0",
        )
        for alone in ("wbc", "anc", "platelets")
    ),
    vignette(
        "five days without supply, restarted: the weekly counts say why",
        Must("CLZ_FBC_OVERDUE", "critical", "every 7 days now, for 6 weeks after the break of 5 days to d-20"),
        supplies=HEAD + "clozapine d-400 375\nclozapine d-20 28",
        results=RESULTS + "anc d-10 3.9\nwbc d-10 6.1",
    ),
    vignette(
        "a break of five weeks: a new start, and says so",
        Must("CLZ_FBC_OVERDUE", "high", "in week 3 since it was restarted on d-20 after a break of 40 days"),
        supplies=HEAD + "clozapine d-400 340\nclozapine d-20 28",
        results=RESULTS + "anc d-8 3.9\nwbc d-8 6.1",
    ),
]
BREAKS = [
    vignette(
        "ran out two days ago",
        not_found=("CLZ_BREAK",),
        supplies=HEAD + "clozapine d-30 28",
    ),
    vignette(
        "ran out three days ago: asked when it was last taken, not claimed that doses were missed",
        Must("CLZ_BREAK", "critical", "not past 72", "ask today when it was last taken", title="supply ran out"),
        not_found=("CLZ_BREAK:missed",),
        supplies=HEAD + "clozapine d-31 28",
        circumstances=KINDS + "clozapine_service zaponex d-300",
    ),
    vignette(
        "ran out six days ago and a count was taken the day before yesterday: check dispensing",
        Must(
            "CLZ_BREAK", "critical", "blood count on d-2, after it ran out: check dispensing", "check dispensing first"
        ),
        supplies=HEAD + "clozapine d-34 28",
        results=RESULTS + "anc d-2 3.9",
    ),
    vignette(
        "ran out six days ago and the clinic was attended since: check dispensing",
        Must("CLZ_BREAK", "critical", "clinic attended on d-3", "check dispensing first"),
        supplies=HEAD + "clozapine d-34 28",
        contacts="contact_on kind\nd-3 clozapine_clinic",
    ),
    vignette(
        "three days missed as reported, supply in hand",
        Must("CLZ_BREAK", "critical", "72 hours of missed doses reported", title="doses reported missed"),
        supplies=STEADY,
        circumstances=KINDS + "reported_missed_doses 3_days d-2",
    ),
]
COLOURS = [
    vignette(
        "neutrophils 1.7, as before clozapine, and nobody asked about BEN",
        Must(
            "CLZ_RESULT_RED_AMBER",
            "high",
            "amber; BEN status not recorded: by BEN limits this is green; before clozapine 1.6 to 1.8",
            "continues.*twice weekly.*BEN.*before clozapine is lost",
            never="stop clozapine",
            title="^Amber",
        ),
        supplies=HEAD + "clozapine d-100 120",
        results=RESULTS + "anc d-140 1.8\nanc d-110 1.6\nanc d-1 1.7",
    ),
    vignette(
        "neutrophils 1.4, BEN asked and ruled out",
        Must("CLZ_RESULT_RED_AMBER", "critical", "red", "^stop clozapine at once", never="BEN", title="^Red"),
        supplies=STEADY,
        circumstances=KINDS + "benign_ethnic_neutropenia no d-300",
        results=RESULTS + "anc d-1 1.4",
    ),
    vignette(
        "neutrophils 1.6 and white cells 3.2, BEN registered",
        not_found=("CLZ_RESULT_RED_AMBER",),
        supplies=STEADY,
        circumstances=KINDS + "benign_ethnic_neutropenia registered d-300",
        results=RESULTS + "anc d-1 1.6\nwbc d-1 3.2",
    ),
    vignette(
        "neutrophils 0.4: an emergency, said first and alone",
        Must(
            "CLZ_RESULT_RED_AMBER",
            "critical",
            "^neutrophils 0.4 .*agranulocytosis",
            "^Emergency: stop clozapine now; same-day admission",
            never="BEN",
            title="emergency",
        ),
        supplies=STEADY,
        results=RESULTS + "wbc d-1 2.0\nanc d-1 0.4",
    ),
    vignette(
        "platelets 40: not the words of a neutrophil result",
        Must("CLZ_RESULT_RED_AMBER", "critical", "platelets 40", "repeat the same day", title="platelets"),
        supplies=STEADY,
        results=RESULTS + "platelets d-1 40\nanc d-1 4.0",
    ),
]
LEVELS = (
    [
        vignette(
            f"smoking {word}",
            Must("CLZ_LEVEL_SMOKING", "high", f"smoking {said}", does, never),
            supplies=STEADY,
            circumstances=KINDS + f"smoking {before} d-400\nsmoking {word} d-10",
            results=RESULTS + "clozapine_level d-100 0.5",
        )
        for before, word, said, does, never in (
            ("smoker", "ex_smoker", "stopped", "75% of the dose", ""),
            ("smoker", "e_cigarette", "stopped", "75% of the dose", ""),
            ("20_a_day", "5_a_day", "reduced", "75% of the dose", ""),
            ("ex_smoker", "smoker", "started again", "may have to rise", "75%"),
        )
    ]
    + [
        vignette(
            f"level {value}",
            Must("CLZ_LEVEL_SMOKING", severity, f"level {value}", does, never),
            supplies=STEADY,
            results=RESULTS + f"clozapine_level d-10 {value}",
        )
        for value, severity, does, never in (
            ("1.2", "critical", "review today: lower the dose", ""),
            ("0.7", "high", "review the dose and side effects", ""),
            ("0.2", "medium", "doses missed and smoking", "lower|75%"),
        )
    ]
    + [
        vignette(
            "pneumonia two days ago: a level now, not in a week",
            Must("CLZ_LEVEL_SMOKING", "high", "infection recorded on d-2; .*level needed now$", "today"),
            not_found=("CLZ_LEVEL_SMOKING:due",),
            supplies=STEADY,
            circumstances=KINDS + "infection yes d-2",
            results=RESULTS + "clozapine_level d-100 0.5",
        ),
        vignette(
            "level never taken in two years",
            Must("CLZ_LEVEL_SMOKING", "medium", "clozapine level: not recorded", title="not recorded for a year"),
            supplies=STEADY,
        ),
        vignette(
            "level last taken 800 days ago",
            Must("CLZ_LEVEL_SMOKING", "medium", "clozapine level: last recorded d-800"),
            supplies=HEAD + every("clozapine", 28, 1400, 0),
            results=RESULTS + "clozapine_level d-800 0.5",
        ),
        vignette(
            "oxybutynin with clozapine and no laxative",
            Must("CLZ_GI_HYPOMOTILITY", "high", "oxybutynin with clozapine; no laxative", "start a laxative"),
            supplies=STEADY + "\n" + every("oxybutynin", 28, 280, 0),
        ),
        vignette(
            "four days without a bowel motion",
            Must("CLZ_GI_HYPOMOTILITY", "critical", "4 days", "emergency"),
            supplies=STEADY,
            results=RESULTS + "days_without_bowel_motion d-1 4",
        ),
        vignette(
            "senna, asked about the bowels 20 days ago",
            not_found=("CLZ_GI_HYPOMOTILITY",),
            supplies=STEADY + "\n" + every("senna", 28, 280, 0),
            results=RESULTS + "constipation_check d-20 -",
        ),
    ]
)
VIGNETTES = [*COUNTS, *BREAKS, *COLOURS, *LEVELS]

"""The words prompts are made of: English topics, verbs, adjectives and invented names.

Every list is written for this project; nothing is copied from a corpus. A topic is a field of
life or work that an account keeps coming back to, so honest accounts differ in vocabulary.
Underscores stand for spaces.
"""

from __future__ import annotations

from typing import Final


def split_words(text: str, spaces: bool = True) -> list[str]:
    """Split a block of words at white space; underscores become spaces unless told not to."""
    return [word.replace("_", " ") if spaces else word for word in text.split()]


# Topic -> plural nouns that people in that field talk about.
TOPICS: Final[dict[str, list[str]]] = {
    name: split_words(nouns)
    for name, nouns in {
        "finance": """invoices ledgers dividends mortgages balance_sheets tax_returns audits bonds
            credit_lines pension_funds cash_reserves expense_reports budgets loan_terms refunds
            price_targets""",
        "medicine": """symptoms dosages patients clinics scans allergies vaccines side_effects
            wards lab_results nurses recovery_plans prescriptions trials antibodies x-rays""",
        "law": """contracts clauses lease_terms liabilities patents trademarks witnesses appeals
            permits privacy_notices statutes licences verdicts settlements by-laws affidavits""",
        "cooking": """sauces soups loaves dumplings marinades pastries stews spices noodles pickles
            pancakes roasts salads desserts broths recipes""",
        "travel": """flights hostels visas train_routes ferries mountain_trails layovers suitcases
            guidebooks border_crossings museums camp_sites city_tours rental_cars islands
            itineraries""",
        "games": """quests dungeons leaderboards boss_fights inventories card_decks speedruns
            skill_trees party_members board_games loot_tables save_files mods puzzles spells
            arenas""",
        "garden": """seedlings compost_heaps hedges rose_beds tomato_plants greenhouses bulbs weeds
            orchards watering_plans pruning_shears bees soil_tests perennials lawns raised_beds""",
        "web": """forms landing_pages cookies style_sheets components routes sessions web_hooks
            redirects templates browser_tabs media_queries login_screens caches widgets
            carousels""",
        "data": """tables pipelines joins dashboards null_values schemas warehouses partitions
            histograms outliers time_series surveys data_sets indexes reports cohorts""",
        "operations": """containers clusters alerts deployments log_files load_balancers backups
            certificates build_steps incident_reports nodes health_checks queues disk_volumes
            secrets rollbacks""",
        "teaching": """lesson_plans essays quizzes grading_schemes study_groups textbooks lectures
            parents worksheets spelling_tests term_papers tutors classrooms flash_cards
            field_trips exam_questions""",
        "history": """empires treaties dynasties trade_routes revolutions monasteries letters
            archives castles census_rolls battles migrations merchants coins inscriptions
            railways""",
        "physics": """photons pendulums magnetic_fields orbits lenses heat_engines waves
            semiconductors particle_decays circuits gas_laws telescopes collisions superfluids
            springs turbines""",
        "chemistry": """solvents catalysts polymers acids crystals reaction_rates isotopes alloys
            titrations membranes electrolytes enzymes pigments solutions residues buffers""",
        "marketing": """slogans newsletters campaigns brand_guides ad_copies product_launches
            press_releases hashtags customer_stories banners focus_groups coupons personas
            landing_offers podcasts teaser_clips""",
        "logistics": """shipments pallets warehouses delivery_windows customs_forms trucks
            stock_levels purchase_orders returns barcodes freight_rates drivers docks parcels
            suppliers containers_at_sea""",
        "fiction": """dragons detectives lighthouse_keepers villains love_letters spaceships
            prophecies orphans ghost_stories plot_twists kingdoms dialogues narrators duels
            time_travellers epilogues""",
        "music": """chords melodies drum_loops lyrics rehearsals concert_tickets scales violins
            album_covers playlists choirs bass_lines tempo_changes synthesizers practice_plans
            set_lists""",
        "sport": """marathons training_plans penalty_kicks referees injuries swim_laps rankings
            bicycles warm-ups transfers team_talks heart_rates climbing_routes regattas
            tournaments rackets""",
        "people": """job_offers interviews pay_bands performance_reviews onboarding_days
            sick_notes team_meetings mentors shift_plans references holidays training_courses
            resignations surveys_of_staff benefits career_paths""",
    }.items()
}

ADJECTIVES: Final = split_words(
    """delayed unusual cheap rare shared missing local annual old new broken secret public hidden
    urgent simple complex weekly early late small large quiet noisy fragile robust expensive
    modern forgotten duplicate pending incomplete reliable strange colourful regional temporary
    final improved disputed automatic handmade digital printed outdated popular narrow ambitious
    risky friendly seasonal overlapping verified anonymous foreign neighbouring remote quick"""
)
VERBS: Final = split_words(
    """explain delay replace improve reduce confirm support threaten surprise affect cover describe
    contain require produce hide change connect break repair measure track reject welcome collect
    outlast interrupt complement compare_with depend_on refer_to influence double postpone reveal
    simplify block accelerate mention protect limit organise rebuild question ignore"""
)
MODALS: Final = split_words(
    """often rarely usually should_not could might must no_longer still would_probably never
    sometimes quietly suddenly clearly hardly always gradually"""
)
ADJUNCTS: Final = [
    "before the audit starts",
    "after a long winter",
    "in the northern offices",
    "on most weekends",
    "despite earlier promises",
    "for at least two seasons",
    "as the notes explain",
    "without any warning",
    "when the budget allows it",
    "because nobody checked",
    "in every second case",
    "under the new rules",
    "while the manager is away",
    "since the last update",
    "in front of the whole team",
    "for reasons that remain unclear",
    "if the weather holds",
    "until somebody complains",
    "at twice the usual pace",
    "with very little training",
    "in smaller towns",
    "near the end of the month",
    "according to two sources",
    "even though it costs more",
    "by the third attempt",
    "on the first try",
    "outside office hours",
    "for the sake of clarity",
    "in the second chapter",
    "as part of the pilot",
    "during the holidays",
    "in a controlled setting",
    "between spring and autumn",
    "with the help of volunteers",
    "on older devices",
    "at the expense of quality",
    "from one day to the next",
    "as far as anyone can tell",
    "in the draft version",
    "against the advice of the board",
]
PEOPLE: Final = split_words(
    """a_beginner my_manager a_ten_year_old a_busy_client the_finance_team a_new_hire my_sister
    a_sceptical_reviewer an_engineer the_board a_tourist my_neighbour a_retired_teacher
    the_editor a_journalist a_small_business_owner my_students a_volunteer the_committee a_nurse"""
)
TONES: Final = split_words(
    """friendly formal playful neutral blunt warm concise dramatic dry encouraging academic
    sarcastic polite poetic plain confident"""
)
FORMATS: Final = [
    "a numbered list",
    "a short table",
    "two paragraphs",
    "a single sentence",
    "bullet points",
    "JSON",
    "a letter",
    "a checklist",
    "plain text",
    "Markdown with headings",
    "a timeline",
    "a comparison",
    "an outline",
    "a dialogue",
]
PROGRAMMING: Final = split_words(
    """Python TypeScript Rust Go Java C++ Kotlin SQL Bash Ruby Swift C# PHP Scala Haskell Lua R
    Elixir Julia Terraform"""
)
CODE_TASKS: Final = [
    "merges overlapping intervals of",
    "removes duplicates from",
    "validates a list of",
    "streams a large file of",
    "caches lookups of",
    "sorts by two keys the",
    "retries failed uploads of",
    "parses dates in",
    "paginates through",
    "counts the words in",
    "builds a search index over",
    "compresses old",
    "schedules jobs for",
    "draws a chart of",
    "exports to CSV all",
    "rate-limits access to",
    "computes a rolling average over",
    "finds the shortest path between",
    "groups by month the",
    "encrypts the fields of",
    "diffs two versions of",
    "detects cycles among",
    "renders a calendar of",
    "migrates the",
    "deserialises nested",
    "mocks the service behind",
    "round-trips through JSON the",
    "samples at random from",
]
ERRORS: Final = [
    "IndexError: list index out of range",
    "TypeError: undefined is not a function",
    "segmentation fault (core dumped)",
    "NullPointerException at line {}",
    "error E0502: borrowed",
    "connection refused on port {}",
    "deadlock detected after {} ms",
    "exit code {}",
    "KeyError: 'id_{}'",
    "permission denied (errno {})",
    "timeout of {} ms exceeded",
    "unexpected token at position {}",
    "duplicate key value {}",
    "out of memory after {} rows",
]
MATHS_OBJECTS: Final = [
    "the integral of x^{a} e^{{{b}x}}",
    "the sum of the first {a}{b} odd numbers",
    "the determinant of a {b} by {b} matrix with {a} on the diagonal",
    "the roots of x^2 - {a}x + {b}",
    "the probability of {b} heads in {a}{b} tosses",
    "the number of ways to seat {a}{b} guests at {b} tables",
    "the limit of (1 + {a}/n)^({b}n)",
    "the area between y = {a}x and y = x^{b}",
    "the remainder of {a}^{b}{a} divided by {b}7",
    "the eigenvalues of [[{a}, {b}], [{b}, {a}]]",
    "the derivative of {a} sin({b}x) / x",
    "the expected value of the largest of {a} dice with {b}0 sides",
    "the distance from ({a}, {b}) to the line {b}x + {a}y = 12",
    "the volume of a cone of radius {a} and height {b}{a}",
]
PERSONAS: Final = split_words(
    """a_grumpy_ship's_cook a_medieval_cartographer a_shy_robot a_retired_astronaut
    a_desert_smuggler a_talking_lighthouse an_honest_used-car_dealer a_court_jester
    a_time-travelling_librarian a_mountain_guide a_suspicious_innkeeper a_forest_spirit
    a_chess_coach a_weary_detective a_goblin_accountant a_pirate_radio_host a_museum_guard
    a_village_healer an_opera_singer a_stubborn_beekeeper"""
)
CRITERIA: Final = split_words(
    """accuracy clarity completeness tone structure evidence originality brevity safety usefulness
    grammar depth coherence fairness relevance readability"""
)
TOOLS: Final = split_words(
    """search_orders get_weather read_file write_file run_tests list_tickets send_mail query_db
    fetch_page convert_units book_room lookup_part open_issue apply_patch create_invoice
    translate_text resize_image get_stock rank_routes check_calendar grep_code restart_job""",
    spaces=False,
)
SYLLABLES: Final = split_words(
    """ba be bi bo bu da de di do du fa fe fi fo ga ge gi go ka ke ki ko la le li lo lu ma me mi mo
    na ne ni no nu pa pe pi po ra re ri ro ru sa se si so ta te ti to tu va ve vi vo za ze zo
    bra cre dri fla gro kla mar nel pan quo ras sten tor ven wil xan yor zel"""
)
SUPPORT_ISSUES: Final = [
    "my order {n} still has not arrived",
    "i was charged twice for {n}",
    "the app logs me out",
    "how do i cancel order {n}",
    "i want to change my delivery address",
    "my code {n} is invalid",
    "can i get an invoice for {n}",
    "the device shows error {n}",
    "i forgot my password again",
    "when do you open on sundays",
    "my refund of {n} is missing",
    "how do i add a second user",
    "the parcel {n} came broken",
    "do you ship to the islands",
    "please delete my account",
    "my subscription renewed by mistake",
    "the voucher {n} does not work",
    "where is ticket {n}",
    "i need to talk to a person",
    "why was payment {n} declined",
    "how long is the warranty",
    "can i swap size {n} for a larger one",
    "the screen of my unit {n} flickers",
    "is item {n} back in stock",
    "my points for order {n} are missing",
]

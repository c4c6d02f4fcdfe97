# Computes every share of the overview anew, from the table with one row for each course, and compares.
#
#   Rscript .ci/shares.R FOLDER
#
# FOLDER is what .ci/write_shares.py wrote. The table is read twice, from courses.csv and out of bundle.sqlite; it ends
# with an error at the first share whose n, N or number of missing differs, and where nothing was compared.
suppressMessages({library(DBI); library(RSQLite)})
options(stringsAsFactors = FALSE, warn = 2)
folders <- list.dirs(commandArgs(trailingOnly = TRUE)[1], recursive = FALSE)
MISSING <- c("not reported", "not extracted")

# --- Reading ------------------------------------------------------------------------------------------------------
from_csv <- function(folder) {
    found <- read.csv(file.path(folder, "courses.csv"), na.strings = c("", MISSING), fileEncoding = "UTF-8-BOM",
                      colClasses = "character")
    # why something is empty is itself one of these words
    words <- read.csv(file.path(folder, "courses.csv"), na.strings = "", fileEncoding = "UTF-8-BOM",
                      colClasses = "character")
    found$empty_means <- words$empty_means
    found
}
from_sqlite <- function(folder) {
    database <- dbConnect(SQLite(), file.path(folder, "bundle.sqlite"), flags = SQLITE_RO)
    on.exit(dbDisconnect(database))
    found <- dbGetQuery(database, "SELECT * FROM courses")
    types <- dbGetQuery(database, "SELECT name, type FROM pragma_table_info('courses')")
    for (name in types$name[types$type == "TEXT"]) found[[name]] <- as.character(found[[name]])
    whole <- c("treatment", "age_years", "year", "events", "events_serious")
    stopifnot(all(types$type[match(whole, types$name)] == "INTEGER"))
    found
}

# --- Counting -----------------------------------------------------------------------------------------------------
# Answers are TRUE, FALSE or NA (not known), one for each patient or course; `means` says what NA means.
share <- function(answers, means) {
    c(count = sum(answers, na.rm = TRUE), known = sum(!is.na(answers)),
      not_reported = sum(is.na(answers) & means == MISSING[1]),
      not_extracted = sum(is.na(answers) & means == MISSING[2]))
}
# Of a patient: yes if it is of one course, no only if it is of all. That is what any() does with NA.
by_patient <- function(courses, answers) {
    said <- tapply(answers, courses$patient, any)
    share(said, courses$empty_means[match(names(said), courses$patient)])
}
# The last outcome of a domain: the latest course with a dated one, or else the latest with any.
improved_in <- function(courses, domain) {
    result <- courses[[paste0(domain, "_result")]]
    dated <- !is.na(courses[[paste0(domain, "_month")]])
    said <- tapply(seq_len(nrow(courses)), courses$patient, function(own) {
        own <- own[!is.na(result[own])]
        if (any(dated[own])) own <- own[dated[own]]
        if (!length(own)) return(NA)
        result[own[which.max(as.integer(courses$treatment[own]))]] == "improved"
    })
    share(said, courses$empty_means[match(names(said), courses$patient)])
}
had_category <- function(courses, category) {
    events <- strsplit(ifelse(is.na(courses$events_by_category), "", courses$events_by_category), "; ", fixed = TRUE)
    had <- vapply(events, function(one) category %in% sub(":.*", "", one), logical(1))
    whole <- courses$adverse_events %in% "explicitly_none" |
        courses$adverse_event_categories_completeness %in% "complete"
    by_patient(courses, ifelse(had, TRUE, ifelse(whole, FALSE, NA)))
}
serious_event <- function(courses) {
    with_events <- courses$adverse_events %in% "events"
    # where no event in view is graded, nobody is counted
    if (any(with_events) && all(is.na(courses$serious_event[with_events])))
        return(by_patient(courses, rep(NA, nrow(courses))))
    counted <- courses$serious_counted %in% "yes"
    by_patient(courses, ifelse(counted, courses$serious_event == "yes", NA))
}
set_of <- function(courses) ifelse(is.na(courses$indications), "", courses$indications)
whole_set <- function(courses) courses$indications_completeness %in% c("complete", "none")
given_for <- function(courses, key) {
    by_patient(courses, ifelse(whole_set(courses), set_of(courses) == key, NA))
}
improved <- function(courses, which = rep(TRUE, nrow(courses))) {
    share((courses$response == "improved")[which], courses$empty_means[which])
}
compute <- function(courses, kind, key) switch(kind,
    headline = switch(key,
        improved = by_patient(courses, courses$response == "improved"),
        relapsed = by_patient(courses, courses$relapsed == "yes"),
        any_adverse_event = by_patient(courses, courses$adverse_events == "events"),
        serious = serious_event(courses)),
    domain = improved_in(courses, key),
    event = had_category(courses, key),
    indication_set = given_for(courses, key),
    inhibitor = improved(courses, courses$inhibitor == key),
    response_to_set = improved(courses, set_of(courses) == key & (whole_set(courses) | key == "")),
    response_at_least = improved(courses, set_of(courses) == key & key != "" & !whole_set(courses)),
    age = by_patient(courses, ifelse(is.na(courses$age_years), NA, TRUE)),
    stop("No rule for ", kind))

# --- Comparing ----------------------------------------------------------------------------------------------------
compared <- 0
differ <- character()
for (folder in folders) {
    told <- read.csv(file.path(folder, "shares.csv"), na.strings = character(),
                     colClasses = c(kind = "character", key = "character"))
    for (read in c("from_csv", "from_sqlite")) {
        courses <- get(read)(folder)
        for (row in seq_len(nrow(told))) {
            given <- unlist(told[row, c("count", "known", "not_reported", "not_extracted")])
            computed <- if (nrow(courses)) compute(courses, told$kind[row], told$key[row]) else 0 * given
            compared <- compared + 1
            if (!identical(as.numeric(given), as.numeric(computed)))
                differ <- c(differ, sprintf("%s, %s, %s %s: the page has %s, the courses give %s", basename(folder), read,
                                            told$kind[row], told$key[row], paste(given, collapse = "/"),
                                            paste(computed, collapse = "/")))
        }
    }
}
cat(sprintf("%d shares of %d questions compared, %d differ: n, N, not reported, not extracted\n", compared,
            length(folders), length(differ)))
if (length(differ)) stop(paste(c("", differ), collapse = "\n"))
if (compared < 200) stop("Too few were compared.")

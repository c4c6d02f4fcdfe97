# From a pinned address to the page's forest plot, with R and its package metafor (Debian: r-cran-metafor, r-cran-lme4).
#
#   Rscript docs/analysis/forest.R [ADDRESS [PICTURE.pdf]]
#
# ADDRESS is the file below any forest plot (Numbers as CSV), with release= so that it stays what it is. The server is
# CASEBOOK, by default http://localhost:8000. The default question is asked of SIMULATED records: no question of the
# published ones has three studies to pool yet.
suppressPackageStartupMessages(library(metafor))
given <- commandArgs(trailingOnly = TRUE)
casebook <- Sys.getenv("CASEBOOK", "http://localhost:8000")
default <- "/sener-2025-reconstruction/forest.csv?sex=female&item=improved&release=1"
address <- if (length(given) >= 1) given[1] else default
picture <- if (length(given) >= 2) given[2] else "forest.pdf"
some <- function(rows) if (nrow(rows)) rows else stop("No study says in how many it is known: nothing to draw.")

# --- The walk ----------------------------------------------------------------------------------------------------
page <- read.csv(paste0(casebook, address), na.strings = "", fileEncoding = "UTF-8-BOM")
studies <- some(page[!is.na(page$study) & !is.na(page$percent), ])
studies[c("lo", "hi")] <- t(mapply(function(x, n) binom.test(x, n)$conf.int, studies$n, studies$known)) # exact
pdf(picture, height = 3 + nrow(studies) / 4)
with(studies, forest(n/known, ci.lb = lo, ci.ub = hi, slab = row, ylim = c(-2, length(n) + 3), xlab = evidence_kind[1]))
if (pools <- any(studies$pooled %in% "yes")) # where the page does not pool, it says why
  addpoly(fit <- rma.glmm(measure = "PLO", xi = n, ni = known, subset = pooled == "yes", data = studies, nAGQ = 25,
                          test = "t"), transf = transf.ilogit, row = -1, mlab = "Pooled")
invisible(dev.off())

# --- Is it the page's? -------------------------------------------------------------------------------------------
# Percentages may be 0.01 apart, which nothing prints; the variance between studies 0.001.
same <- function(what, mine, theirs, within = 0.01) {
  if (length(mine) != length(theirs) || anyNA(theirs) || any(abs(mine - theirs) > within))
    stop(sprintf("%s: %s here, %s on the page", what, toString(mine), toString(theirs)))
}
same("Proportion of each study", 100 * studies$n / studies$known, studies$percent)
same("Lower limits of studies", 100 * studies$lo, studies$ci_low)
same("Upper limits of studies", 100 * studies$hi, studies$ci_high)
if (pools) {
  theirs <- page[page$row == "Pooled", ]
  ends <- function(estimate, error, t) 100 * plogis(estimate + c(-1, 1) * t * error)
  mu <- as.numeric(fit$beta)
  further <- sqrt(fit$se^2 + fit$tau2) # of the log odds of one more study
  k <- sum(studies$pooled == "yes")
  same("Pooled proportion", 100 * plogis(mu), theirs$percent)
  same("Its interval by t", ends(mu, fit$se, qt(0.975, k - 1)), c(theirs$ci_low, theirs$ci_high))
  same("Its interval by z", ends(mu, fit$se, qnorm(0.975)), c(theirs$ci_z_low, theirs$ci_z_high))
  # metafor's own predict() takes k - 1 degrees of freedom; the page, with Higgins 2009, k - 2.
  same("Prediction by t", ends(mu, further, qt(0.975, k - 2)), c(theirs$prediction_low, theirs$prediction_high))
  same("Prediction by z", ends(mu, further, qnorm(0.975)), c(theirs$prediction_z_low, theirs$prediction_z_high))
  same("Variance between studies", fit$tau2, theirs$tau2, within = 0.001)
} else if (any(page$row == "Pooled")) stop("The page pools what this script does not.")
if (address == default) { # The counts themselves, from the rows of the patients.
  rows <- paste0(casebook, sub("forest.csv", "patients.csv", address))
  patients <- read.csv(rows, na.strings = "", fileEncoding = "UTF-8-BOM")
  verdicts <- split(patients$responses, factor(patients$study, levels = studies$study))
  known <- function(verdict) !verdict %in% c("not reported", "not extracted")
  same("Patients improved", sapply(verdicts, function(v) sum(v == "improved")), studies$n, within = 0)
  same("Patients known", sapply(verdicts, function(v) sum(known(v))), studies$known, within = 0)
}
found <- if (pools) sprintf("and %.1f %% pooled", 100 * plogis(mu)) else "not pooled"
cat(sprintf("%s: studies: %d, %s, as on the page (%s)\n", address, nrow(studies), found, page$evidence_kind[1]))

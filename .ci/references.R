# What R gives for the series and tables that tests/test_statistics_references.py holds our own numbers against.
#
#   Rscript .ci/references.R FOLDER
#
# writes into FOLDER:
#   pooled.csv   source, x, n: counts of arms from datasets of the R package metadat, and drawn ones;
#                mu, se, tau2: rma.glmm(measure = "PLO", nAGQ = 25) of metafor; said: its warnings.
#                (nAGQ is an argument of its own; in `control` it is ignored and 7 nodes are used.)
#   tables.csv   a, m, b, n: drawn two-by-two tables; odds_ratio, low, high: fisher.test;
#                central_p: twice the smaller tail, by phyper
#
# tests/references/ has what this wrote with R 4.2.2, metafor 3.8-1, metadat 1.2-0 and lme4 1.1-31.
suppressMessages(suppressWarnings({library(metafor); library(metadat); library(lme4)}))
folder <- commandArgs(trailingOnly = TRUE)[1]
options(warn = 1)

# --- Series -------------------------------------------------------------------------------------------------------
series <- list()
keep <- function(source, x, n) {
    known <- !is.na(x) & !is.na(n) & n > 0
    x <- as.numeric(x)[known]
    n <- as.numeric(n)[known]
    if (length(x) < 3 || any(x < 0 | x > n | x != round(x) | n != round(n))) return(invisible())
    if (sum(x) == 0 || sum(x) == sum(n) || all(x == 0 | x == n)) return(invisible())
    series[[source]] <<- list(source = source, x = x, n = n)
}
# Two columns of counts beside two of denominators.
arms <- function(name, ...) {
    data <- get(name)
    for (pair in list(...)) keep(paste(name, pair[1]), data[[pair[1]]], data[[pair[2]]])
}
# One row an arm: a series for each treatment.
by <- function(name, group, x, n) {
    data <- get(name)
    for (each in sort(unique(as.character(data[[group]])))) {
        rows <- as.character(data[[group]]) == each
        if (sum(rows) >= 5) keep(paste(name, each), data[[x]][rows], data[[n]][rows])
    }
}
arms("dat.anand1999", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.axfors2021", c("hcq_arm_event", "hcq_arm_total"), c("control_arm_event", "control_arm_total"))
by("dat.baker2009", "treatment", "exac", "total")
with(dat.bcg, {keep("dat.bcg tpos", tpos, tpos + tneg); keep("dat.bcg cpos", cpos, cpos + cneg)})
with(dat.bourassa1996, keep("dat.bourassa1996 left-handed", lh.le + lh.re, lh.le + lh.re + rh.le + rh.re))
arms("dat.bornmann2007", c("waward", "wtotal"), c("maward", "mtotal"))
arms("dat.cannon2006", c("ep1t", "nt"), c("ep1c", "nc"), c("ep4t", "nt"), c("ep4c", "nc"))
arms("dat.collins1985a", c("b.xti", "nti"), c("b.xci", "nci"), c("o.xti", "nti"), c("d.xci", "nci"))
arms("dat.collins1985b", c("pre.xti", "pre.nti"), c("pre.xci", "pre.nci"))
arms("dat.damico2009", c("xt", "nt"), c("xc", "nc"))
arms("dat.debruin2009", c("xi", "ni"))
by("dat.dogliotti2014", "treatment", "stroke", "total")
by("dat.dong2013", "treatment", "death", "randomized")
arms("dat.dorn2007", c("x.a", "n.a"), c("x.p", "n.p"))
arms("dat.egger2001", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.fine1993", c("e1i", "nei"), c("c1i", "nci"), c("e4i", "nei"))
arms("dat.graves2010", c("ai", "n1i"), c("ci", "n2i"))
by("dat.gurusamy2011", "treatment", "death", "n")
arms("dat.hahn2001", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.hannum2020", c("xi", "ni"))
arms("dat.hartmannboyce2018", c("x.nrt", "n.nrt"), c("x.ctrl", "n.ctrl"))
by("dat.hasselblad1998", "trt", "xi", "ni")
arms("dat.hine1989", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.kearon1998", c("tp", "np"), c("tn", "nn"))
with(dat.landenberger2005, {
    keep("dat.landenberger2005 n.ctrl.rec", n.ctrl.rec, n.ctrl.rec + n.ctrl.non)
    keep("dat.landenberger2005 n.cbt.rec", n.cbt.rec, n.cbt.rec + n.cbt.non)
})
arms("dat.laopaiboon2015", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.lau1992", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.lee2004", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.li2007", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.linde2005", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.linde2015", c("resp1", "n1"), c("resp2", "n2"))
arms("dat.nielweise2007", c("ai", "n1i"), c("ci", "n2i"))
arms("dat.obrien2003", c("cases", "total"))
by("dat.pagliaro1992", "trt", "xi", "ni")
arms("dat.pritz1997", c("xi", "ni"))
with(dat.vanhowe1999, keep("dat.vanhowe1999 non.pos", non.pos, non.pos + non.neg))
arms("dat.viechtbauer2021", c("xTi", "nTi"), c("xCi", "nCi"))
by("dat.yusuf1985", "table", "ci", "n2i")

set.seed(1009, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
ranges <- list(c(1, 10), c(2, 60), c(20, 1000), c(1, 1e6), c(1e3, 1e6))
spreads <- c(0, 0.3, 1, 2, 3)
number <- 0
while (number < 100) {
    range <- ranges[[1 + number %% 5]]
    spread <- spreads[1 + (number %/% 5) %% 5]
    k <- sample(c(3, 4, 5, 8, 12, 20, 30), 1)
    n <- round(exp(runif(k, log(range[1]), log(range[2]))))
    x <- rbinom(k, n, plogis(runif(1, -2.5, 2.5) + spread * rnorm(k)))
    before <- length(series)
    keep(sprintf("drawn %03d, n %g to %g, tau %g", number + 1, range[1], range[2], spread), x, n)
    number <- number + length(series) - before
}

# --- Pooled proportions -------------------------------------------------------------------------------------------
digits <- function(value) sprintf("%.9g", value)
joined <- function(values) paste(sprintf("%d", as.integer(values)), collapse = " ")
pooled <- lapply(series, function(each) {
    said <- character()
    found <- tryCatch(
        withCallingHandlers(
            rma.glmm(measure = "PLO", xi = each$x, ni = each$n, nAGQ = 25),
            warning = function(w) {said <<- c(said, conditionMessage(w)); invokeRestart("muffleWarning")}
        ),
        error = function(e) {said <<- c(said, conditionMessage(e)); NULL}
    )
    said <- gsub("[\"\n]", " ", paste(unique(said), collapse = "; "))
    row <- data.frame(source = each$source, x = joined(each$x), n = joined(each$n), mu = "", se = "", tau2 = "")
    if (!is.null(found)) row[4:6] <- digits(c(found$beta, found$se, found$tau2))
    cbind(row, said = said)
})
write.csv(do.call(rbind, pooled), file.path(folder, "pooled.csv"), row.names = FALSE)

# --- Two-by-two tables --------------------------------------------------------------------------------------------
largest <- c(rep(6, 40), rep(40, 60), rep(400, 30), rep(5000, 20), rep(100000, 6))
tables <- lapply(largest, function(most) {
    m <- sample(most, 1)
    n <- sample(most, 1)
    share <- sample(c(0.02, 0.3, 0.5, 0.9), 1)
    a <- rbinom(1, m, share)
    b <- rbinom(1, n, plogis(qlogis(share) + rnorm(1, 0, min(1, 20 / sqrt(most)))))
    found <- fisher.test(matrix(c(a, m - a, b, n - b), 2))
    p <- 2 * min(phyper(a, m, n, a + b), phyper(a - 1, m, n, a + b, lower.tail = FALSE), 0.5)
    data.frame(a = a, m = m, b = b, n = n, odds_ratio = digits(found$estimate), low = digits(found$conf.int[1]),
               high = digits(found$conf.int[2]), central_p = digits(p))
})
write.csv(do.call(rbind, tables), file.path(folder, "tables.csv"), row.names = FALSE)
cat(sprintf("%d series, %d tables: R %s, metafor %s, metadat %s, lme4 %s\n", length(series), length(tables),
            getRversion(), packageVersion("metafor"), packageVersion("metadat"), packageVersion("lme4")))

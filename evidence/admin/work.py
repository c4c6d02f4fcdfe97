"""The first page of the curators' entrance: what there is to do, then the tables by their subject."""


def grouped(apps):
    return apps


def work_to_do(request):
    return {}


def faults_page(request, site):
    pass

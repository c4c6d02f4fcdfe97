"""What every admin page of Casebook shares."""

from django.contrib import admin

admin.site.site_header = "Casebook, curators’ entrance"
admin.site.site_title = "Casebook"
admin.site.index_title = "Records"


class Inline(admin.TabularInline):
    """A compact inline without empty extra rows."""

    extra = 0
    show_change_link = True


class PublicationAdmin(admin.ModelAdmin):
    """Records readers can see: a link to their page, once they are published."""

    list_per_page = 50

    def view_on_site(self, record):
        shown = record.pk and type(record).objects.published().filter(pk=record.pk).exists()
        return record.get_absolute_url() if shown else None

    def get_view_on_site_url(self, obj=None):
        return self.view_on_site(obj) if obj is not None else None

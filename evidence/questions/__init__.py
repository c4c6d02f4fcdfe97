"""What an address asks: parameters, forms, filters (URL words -> QuerySet verbs)."""

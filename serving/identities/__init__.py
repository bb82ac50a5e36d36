"""Who a person is: name, date of birth and NHS number, where a trust gives them. Sealed at rest, read by pages only."""

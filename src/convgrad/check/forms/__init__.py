"""The forms of a report: text, JSON, a page, JUnit XML, a lesson."""

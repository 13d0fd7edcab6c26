"""Report formats, each a renderer of `benchmarker_reports.content.study_content.StudyContent`."""

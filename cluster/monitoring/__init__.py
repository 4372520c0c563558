"""What a Prometheus in the cluster knows: scraped series, and PromQL over them.

    scraper.py     every scrape_interval, while a container of it runs: asks the targets that it can reach
    configuration.py   its prometheus.yml and alert rules, from a ConfigMap
    rules.py       alerts: pending, firing, and since when
    families.py    what components tell: samples with the real ones' names, labels and types
    store.py       series by their labels, samples in rows; compaction, retention, limits
    blocks.py      samples as bytes
    promql.py      evaluates PromQL over a matrix of samples, one row a series, one column a scrape
    functions.py   rate, avg_over_time, clamp … : what a function does to such a matrix

Read next: scraper.py.
"""

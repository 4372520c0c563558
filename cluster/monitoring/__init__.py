"""What a Prometheus in the cluster knows: scraped series, and PromQL over them.

    promql.py      evaluates PromQL over a matrix of samples, one row a series, one column a scrape
    functions.py   rate, avg_over_time, clamp … : what a function does to such a matrix
    store.py       series by their labels, samples in rows; compaction, retention, limits
    blocks.py      samples as bytes

Read next: promql.py.
"""

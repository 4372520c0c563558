"""Every figure that we claim, one file each: `python -m bench [name …]`, or `make bench`.

A figure is printed with its aim and with the load average while it was taken; the machine that the aims were set on has
two cores. All but `scheduler` measure a whole installation from outside, over http.
"""

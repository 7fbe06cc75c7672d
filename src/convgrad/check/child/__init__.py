"""What runs in the child process beside the code under test: Python and NumPy, nothing else of ours.

The parent sends small programs (`wire`), the child runs them (`serve`) inside the limits that it
has put on itself (`limits`), and answers with raw arrays. It judges nothing.
"""

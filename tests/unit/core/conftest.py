from hypothesis import settings

# A machine that is busy is no fault of the code, and a run shows the same every time.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")
